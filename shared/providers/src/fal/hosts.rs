use url::Url;

/// Which addresses from fal's answers are followed.
pub(crate) struct Hosts {
    queue: Url,
    files: Vec<String>,
}

impl Hosts {
    pub(crate) fn new(queue: Url, files: Vec<String>) -> Hosts {
        Hosts { queue, files }
    }

    /// The queue's own address, without a slash at its end.
    pub(crate) fn queue(&self) -> &str {
        self.queue.as_str().trim_end_matches('/')
    }

    /// An address that gets our key: only on the very server the job was submitted to.
    pub(crate) fn of_queue(&self, address: &str) -> Option<Url> {
        let url = Url::parse(address).ok()?;
        (url.origin() == self.queue.origin() && has_no_login(&url)).then_some(url)
    }

    /// A file's address: on a listed host or below it, or on the queue's own. Plain http passes only where the
    /// queue itself is plain, as a local stand-in is.
    pub(crate) fn of_file(&self, address: &str) -> Option<Url> {
        let url = Url::parse(address).ok()?;
        let host = url.host_str()?;
        let is_scheme_allowed = url.scheme() == "https" || (url.scheme() == "http" && self.is_plain());
        let is_host_allowed =
            self.queue.host_str() == Some(host) || self.files.iter().any(|allowed| is_below(host, allowed));
        (is_scheme_allowed && is_host_allowed && has_no_login(&url)).then_some(url)
    }

    fn is_plain(&self) -> bool {
        self.queue.scheme() == "http"
    }
}

fn has_no_login(url: &Url) -> bool {
    url.username().is_empty() && url.password().is_none()
}

fn is_below(host: &str, allowed: &str) -> bool {
    host.strip_suffix(allowed).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(queue: &str) -> Hosts {
        Hosts::new(Url::parse(queue).unwrap(), vec!["fal.media".to_owned()])
    }

    #[test]
    fn files_come_from_listed_hosts_only() {
        let real = hosts("https://queue.fal.run");
        let table = [
            ("https://fal.media/a.png", true),
            ("https://v3.fal.media/files/a.png", true),
            ("https://V3.FAL.MEDIA/a.png", true),
            ("https://queue.fal.run/a.png", true),
            ("http://v3.fal.media/a.png", false),
            ("https://evilfal.media/a.png", false),
            ("https://fal.media.evil.test/a.png", false),
            ("https://fal.media@evil.test/a.png", false),
            ("https://user:x@fal.media/a.png", false),
            ("https://169.254.169.254/latest", false),
            ("file:///etc/passwd", false),
            ("data:image/png;base64,aaaa", false),
            ("nonsense", false),
        ];
        for (address, is_allowed) in table {
            assert_eq!(real.of_file(address).is_some(), is_allowed, "{address}");
        }
        let stand_in = hosts("http://127.0.0.1:4000/fal");
        assert!(stand_in.of_file("http://127.0.0.1:4000/files/a.png").is_some());
        assert!(stand_in.of_file("http://127.0.0.2:4000/files/a.png").is_none());
    }

    #[test]
    fn the_key_goes_to_the_queue_only() {
        let real = hosts("https://queue.fal.run");
        let table = [
            ("https://queue.fal.run/fal-ai/flux/requests/1/status", true),
            ("https://queue.fal.run:443/x", true),
            ("http://queue.fal.run/x", false),
            ("https://queue.fal.run:8443/x", false),
            ("https://queue.fal.run.evil.test/x", false),
            ("https://x@queue.fal.run/x", false),
            ("https://v3.fal.media/x", false),
        ];
        for (address, is_allowed) in table {
            assert_eq!(real.of_queue(address).is_some(), is_allowed, "{address}");
        }
    }
}
