"""A small rewriting proxy: for clients that insist on https or know no path before their own, and for fakes that
answer with the vendor's own addresses."""

import http.client
import http.server
import ssl
import threading
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "host", "content-length", "transfer-encoding", "keep-alive"}


class Front:
    """Passes everything on to `upstream` with `headers` added; replaces texts in answers; serves `files` itself."""

    def __init__(self, upstream, headers=None, replace=None, files=None, certificate=None):
        self.upstream, self.headers = urlsplit(upstream), headers or {}
        self.replace, self.files = replace or {}, files or {}
        self.seen = []
        front = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                front.answer(self)

            do_GET = do_POST = do_PUT = do_DELETE = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            scheme = "https"
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        self.url = f"{scheme}://{self.host}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, caller):
        body = caller.rfile.read(int(caller.headers.get("content-length", 0)))
        self.seen.append((caller.command, caller.path, dict(caller.headers), body))
        if caller.path in self.files:
            return self.reply(caller, 200, [("content-type", "image/png")], self.files[caller.path])
        headers = {name: value for name, value in caller.headers.items() if name.lower() not in HOP_BY_HOP}
        headers.update(self.headers)
        connection = http.client.HTTPConnection(self.upstream.netloc, timeout=60)
        connection.request(caller.command, self.upstream.path + caller.path, body or None, headers)
        response = connection.getresponse()
        content = response.read()
        for text, other in self.replace.items():
            content = content.replace(text.encode(), other.format(url=self.url).encode())
        kept = [(name, value) for name, value in response.getheaders() if name.lower() not in HOP_BY_HOP]
        self.reply(caller, response.status, kept, content)
        connection.close()

    @staticmethod
    def reply(caller, status, headers, content):
        caller.send_response(status)
        for name, value in headers:
            caller.send_header(name, value)
        caller.send_header("content-length", str(len(content)))
        caller.end_headers()
        caller.wfile.write(content)


def certificate(path):
    """Writes a key and a certificate for 127.0.0.1 that nobody else trusts."""
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(hours=1))
    builder = builder.not_valid_after(now + datetime.timedelta(days=1)).add_extension(address, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with open(path, "wb") as file:
        file.write(private + builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
