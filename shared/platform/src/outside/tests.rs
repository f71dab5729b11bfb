//! Addresses as people and attackers write them, and fetches from a server of our own under names of our own.

use super::*;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

#[test]
fn an_address_is_taken_as_the_parser_reads_it_and_in_no_other_way() {
    for (text, read) in [
        ("https://youtube.com/watch?v=x#t=5", "https://youtube.com/watch?v=x"),
        ("HTTPS://YouTube.com:443/a b", "https://youtube.com/a%20b"),
        ("https://bücher.at/", "https://xn--bcher-kva.at/"),
        ("https://8.8.8.8/", "https://8.8.8.8/"),
        ("https://[2606:4700::1111]/", "https://[2606:4700::1111]/"),
        // Other parsers see another host here; ours is the one that is sent and handed on.
        ("https://vimeo.com\\@127.0.0.1/", "https://vimeo.com/@127.0.0.1/"),
    ] {
        assert_eq!(OutsideUrl::parse(text).unwrap().as_str(), read, "{text}");
    }
}

#[test]
fn this_machine_is_refused_however_it_is_spelled() {
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.1.",
        "①②⑦.⓪.⓪.①",
        "１２７.０.０.１",
        "127。0。0。1",
        "%31%32%37.0.0.1",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "169.254.169.254",
        "0xa9fea9fe",
        "2852039166",
        "[::ffff:a9fe:a9fe]",
        "[fd00:ec2::254]",
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "100.100.100.200",
        "[fe80::1]",
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "printer.local",
        "metadata.google.internal",
        "router.lan",
        "box.home.arpa",
        "db",
        "x.onion",
        "host.test",
    ] {
        let url = format!("https://{host}/");
        let refused = OutsideUrl::parse(&url);
        assert!(matches!(refused, Err(OutsideError::NotPublic)), "{url}: {refused:?}");
    }
}

#[test]
fn an_address_with_anything_odd_about_it_is_refused() {
    for text in [
        "http://youtube.com/",
        "ftp://youtube.com/",
        "file:///etc/passwd",
        "data:text/plain,x",
        "javascript:alert(1)",
        "gopher://youtube.com/",
        "https://ann@youtube.com/",
        "https://ann:secret@youtube.com/",
        "https://:secret@youtube.com/",
        "https://youtube.com:80/",
        "https://youtube.com:8443/",
        "https://youtube.com:22/",
        "https://youtube.com:0/",
        "https://",
        "https:///",
        "youtube.com",
        "//youtube.com/",
        "",
        "https://256.256.256.256/",
        "https://4294967296/",
        "https://a b/",
        "https://[fe80::1%25eth0]/",
        "https://a%00b.com/",
    ] {
        let refused = OutsideUrl::parse(text);
        assert!(matches!(refused, Err(OutsideError::Unfit(_))), "{text}: {refused:?}");
    }
    let long = format!("https://youtube.com/{}", "x".repeat(LENGTH_MAX));
    assert!(matches!(OutsideUrl::parse(&long), Err(OutsideError::Unfit(_))));
}

#[test]
fn a_site_is_told_from_one_that_looks_like_it() {
    let is_of = |host: &str| OutsideUrl::parse(&format!("https://{host}/")).unwrap().is_of("youtube.com");
    for host in ["youtube.com", "www.youtube.com", "YOUTUBE.com", "m.youtube.com."] {
        assert!(is_of(host), "{host}");
    }
    for host in ["notyoutube.com", "youtube.com.evil.net", "youtube.co", "evil.net"] {
        assert!(!is_of(host), "{host}");
    }
}

#[test]
fn an_address_does_not_tell_more_than_its_host_in_a_log() {
    let url = OutsideUrl::parse("https://youtube.com/private?key=secret").unwrap();
    assert_eq!(format!("{url:?}"), "OutsideUrl(youtube.com)");
}

/// A server on this machine that is asked under other names, and what it was asked.
struct Server {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    roots: rustls::RootCertStore,
}

/// Pages by their path; `{port}` is the server's.
const PAGES: &[(&str, &str)] = &[
    ("/page", "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 10\r\n\r\na red kite"),
    ("/endless", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"),
    ("/long", "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n"),
    ("/gone", "HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n"),
    ("/silent", ""),
    ("/to-page", "HTTP/1.1 302 Found\r\nlocation: /page\r\ncontent-length: 0\r\n\r\n"),
    ("/to-other", "HTTP/1.1 307 x\r\nlocation: https://other.com:{port}/page\r\ncontent-length: 0\r\n\r\n"),
    ("/round", "HTTP/1.1 301 x\r\nlocation: /round\r\ncontent-length: 0\r\n\r\n"),
    ("/to-http", "HTTP/1.1 302 x\r\nlocation: http://kite.com:{port}/page\r\ncontent-length: 0\r\n\r\n"),
    ("/to-inside", "HTTP/1.1 302 x\r\nlocation: https://inside.com:{port}/page\r\ncontent-length: 0\r\n\r\n"),
    (
        "/to-metadata",
        "HTTP/1.1 302 x\r\nlocation: https://169.254.169.254:{port}/\r\ncontent-length: 0\r\n\r\n",
    ),
    ("/to-port", "HTTP/1.1 302 x\r\nlocation: https://kite.com/page\r\ncontent-length: 0\r\n\r\n"),
    (
        "/to-person",
        "HTTP/1.1 302 x\r\nlocation: https://a:b@kite.com:{port}/page\r\ncontent-length: 0\r\n\r\n",
    ),
    ("/to-nowhere", "HTTP/1.1 302 x\r\ncontent-length: 0\r\n\r\n"),
];

impl Server {
    async fn start() -> Server {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let names = ["kite.com", "other.com", "inside.com", "mixed.com"].map(str::to_owned);
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let config = rustls::ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(vec![cert.der().clone()], key).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (acceptor, log) = (TlsAcceptor::from(Arc::new(config)), asked.clone());
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let (acceptor, log) = (acceptor.clone(), log.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(socket).await else { return };
                    answer(stream, port, &log).await;
                });
            }
        });
        Server { port, asked, roots }
    }

    /// The names lead to this machine, which counts as public here; everything else is judged as always.
    fn outside(&self, lookups: &Arc<AtomicUsize>) -> Outside {
        let lookups = lookups.clone();
        let lookup = Lookup::of(move |name| {
            lookups.fetch_add(1, Ordering::SeqCst);
            let here = IpAddr::from(Ipv4Addr::LOCALHOST);
            let private = IpAddr::from(Ipv4Addr::new(10, 0, 0, 1));
            let found = match name.as_str() {
                "kite.com" | "other.com" => Ok(vec![here]),
                "inside.com" => Ok(vec![private]),
                "mixed.com" => Ok(vec![here, private]),
                "empty.com" => Ok(vec![]),
                _ => Err(io_error()),
            };
            async move { found }
        });
        let rules =
            Rules { is_allowed: |address| address.is_loopback() || is_public(address), port: self.port };
        Outside::with(lookup, rules, Some(self.roots.clone()))
    }

    fn url(&self, host: &str, path: &str) -> OutsideUrl {
        let rules = Rules { is_allowed: |_| true, port: self.port };
        OutsideUrl::parse_by(&format!("https://{host}:{}{path}", self.port), rules).unwrap()
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn io_error() -> std::io::Error {
    std::io::Error::other("no such name")
}

async fn answer(
    mut stream: tokio_rustls::server::TlsStream<tokio::net::TcpStream>,
    port: u16,
    log: &Mutex<Vec<String>>,
) {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut piece = [0; 1024];
        match stream.read(&mut piece).await {
            Ok(length) if length > 0 => request.extend_from_slice(&piece[..length]),
            _ => return,
        }
    }
    let request = String::from_utf8(request).unwrap();
    let path = request.split(' ').nth(1).unwrap().to_owned();
    log.lock().unwrap().push(request);
    let page = PAGES.iter().find(|(known, _)| *known == path).unwrap().1.replace("{port}", &port.to_string());
    stream.write_all(page.as_bytes()).await.unwrap();
    if path == "/endless" {
        while stream.write_all(b"5\r\nkites\r\n").await.is_ok() {}
    }
    if path == "/silent" {
        std::future::pending::<()>().await;
    }
    let _ = stream.flush().await;
}

const LIMITS: FetchLimits = FetchLimits { bytes_max: 100, time: Duration::from_secs(5) };

#[tokio::test]
async fn a_page_is_fetched_from_the_very_address_that_was_judged() {
    let (server, lookups) = (Server::start().await, Arc::default());
    let outside = server.outside(&lookups);
    for (path, hops) in [("/page", 1), ("/to-page", 2), ("/to-other", 2)] {
        lookups.store(0, Ordering::SeqCst);
        let fetched = outside.fetch(&server.url("kite.com", path), LIMITS).await.unwrap();
        assert_eq!(fetched.content_type(), Some("text/plain"));
        assert_eq!(fetched.bytes().await.unwrap(), b"a red kite", "{path}");
        assert_eq!(server.asked().len(), hops, "{path}");
        // One look for each connection: there is none between the judgement and the use.
        assert!(lookups.load(Ordering::SeqCst) <= hops, "{path}");
    }
}

#[tokio::test]
async fn nothing_that_identifies_us_or_a_person_is_sent() {
    let (server, lookups) = (Server::start().await, Arc::default());
    server.outside(&lookups).fetch(&server.url("kite.com", "/to-other"), LIMITS).await.unwrap();
    for request in server.asked() {
        let lower = request.to_lowercase();
        for header in ["authorization", "cookie", "referer", "x-amz", "traceparent"] {
            assert!(!lower.contains(header), "{request}");
        }
    }
}

#[tokio::test]
async fn a_name_or_a_redirect_that_leads_inside_is_not_followed() {
    let (server, lookups) = (Server::start().await, Arc::default());
    let outside = server.outside(&lookups);
    for (host, path, asked) in [
        ("inside.com", "/page", 0),
        // One public address beside it does not make it public.
        ("mixed.com", "/page", 0),
        ("kite.com", "/to-inside", 1),
        ("kite.com", "/to-metadata", 1),
    ] {
        let refused = outside.fetch(&server.url(host, path), LIMITS).await.map(|_| ());
        assert!(matches!(refused, Err(OutsideError::NotPublic)), "{host}{path}: {refused:?}");
        assert_eq!(server.asked().len(), asked, "{host}{path}");
    }
    for path in ["/to-http", "/to-port", "/to-person", "/to-nowhere"] {
        let refused = outside.fetch(&server.url("kite.com", path), LIMITS).await.map(|_| ());
        assert!(matches!(refused, Err(OutsideError::Unfit(_))), "{path}: {refused:?}");
        assert_eq!(server.asked().len(), 1, "{path}");
    }
}

#[tokio::test]
async fn three_redirects_are_followed_and_no_more() {
    let (server, lookups) = (Server::start().await, Arc::default());
    let refused = server.outside(&lookups).fetch(&server.url("kite.com", "/round"), LIMITS).await.map(|_| ());
    assert!(matches!(refused, Err(OutsideError::TooManyRedirects)), "{refused:?}");
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn size_and_time_are_limited_while_the_content_comes() {
    let (server, lookups) = (Server::start().await, Arc::default());
    let outside = server.outside(&lookups);
    let announced = outside.fetch(&server.url("kite.com", "/long"), LIMITS).await.map(|_| ());
    assert!(matches!(announced, Err(OutsideError::TooLong(100))), "{announced:?}");
    let endless = outside.fetch(&server.url("kite.com", "/endless"), LIMITS).await.unwrap().bytes().await;
    assert!(matches!(endless, Err(OutsideError::TooLong(100))), "{endless:?}");
    let short = FetchLimits { time: Duration::from_millis(300), ..LIMITS };
    let silent = outside.fetch(&server.url("kite.com", "/silent"), short).await.map(|_| ());
    assert!(matches!(silent, Err(OutsideError::TooSlow)), "{silent:?}");
    let gone = outside.fetch(&server.url("kite.com", "/gone"), LIMITS).await.map(|_| ());
    assert!(matches!(gone, Err(OutsideError::Status(410))), "{gone:?}");
    for host in ["empty.com", "unknown.com"] {
        let unknown = outside.fetch(&server.url(host, "/page"), LIMITS).await.map(|_| ());
        assert!(matches!(unknown, Err(OutsideError::Unresolved)), "{host}: {unknown:?}");
    }
}

#[tokio::test]
async fn an_address_is_handed_on_only_when_all_that_its_name_has_is_public() {
    let (server, lookups) = (Server::start().await, Arc::default());
    let outside = server.outside(&lookups);
    let judged = async |host: &str| outside.is_safe_to_hand_on(&server.url(host, "/page")).await;
    assert!(judged("kite.com").await.is_ok());
    assert!(judged("8.8.8.8").await.is_ok());
    for host in ["inside.com", "mixed.com"] {
        assert!(matches!(judged(host).await, Err(OutsideError::NotPublic)), "{host}");
    }
    for host in ["empty.com", "unknown.com"] {
        assert!(matches!(judged(host).await, Err(OutsideError::Unresolved)), "{host}");
    }
    assert!(server.asked().is_empty(), "handing on asks no server");
}
