//! Single calls of AWS services that need no client of the SDK: it would be a megabyte each.

use crate::Platform;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use primitives::times::Wait;
use std::time::{Duration, UNIX_EPOCH};

/// Which operation of which service is called, where, and for how long its answer is waited for.
#[derive(Debug, Clone, Copy)]
pub struct AwsCall<'a> {
    /// As it stands in the service's address and in the signature, e.g. `ssm`.
    pub service: &'static str,
    /// `x-amz-target`: the service's own name for the operation.
    pub target: &'static str,
    /// In place of AWS itself.
    pub endpoint: Option<&'a str>,
    /// How long it may take.
    pub patience: &'static Wait,
}

/// The request can't be signed. Nothing was sent.
#[derive(Debug, thiserror::Error)]
#[error("the request can't be signed")]
pub struct Unsigned(#[source] Box<dyn std::error::Error + Send + Sync>);

impl Platform {
    /// A request in AWS's JSON protocol with the process's credentials: Signature Version 4 over all of it.
    pub fn signed(&self, call: &AwsCall<'_>, body: Vec<u8>) -> Result<reqwest::Request, Unsigned> {
        self.try_signed(call, body).map_err(Unsigned)
    }

    fn try_signed(
        &self,
        call: &AwsCall<'_>,
        body: Vec<u8>,
    ) -> Result<reqwest::Request, Box<dyn std::error::Error + Send + Sync>> {
        let store = self.store();
        let address = match call.endpoint {
            Some(endpoint) => format!("{endpoint}/"),
            None => format!("https://{}.{}.amazonaws.com/", call.service, store.region),
        };
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", call.target)];
        let identity = store.credentials().into();
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(&store.region)
            .name(call.service)
            .time(UNIX_EPOCH + Duration::from_millis(self.now().millis()))
            .settings(SigningSettings::default())
            .build()?;
        let whole = SignableRequest::new("POST", &address, headers.into_iter(), SignableBody::Bytes(&body))?;
        let signature = sign(whole, &parameters.into())?.into_parts().0;
        let request = http::Request::post(&address).header(headers[0].0, headers[0].1);
        let mut request = request.header(headers[1].0, headers[1].1).body(body)?;
        signature.apply_to_request_http1x(&mut request);
        let mut request = reqwest::Request::try_from(request)?;
        *request.timeout_mut() = Some(call.patience.limit);
        Ok(request)
    }
}
