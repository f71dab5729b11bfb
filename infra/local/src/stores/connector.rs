use super::{DYNAMO_ENDPOINT, Stores, dynamo};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use http::HeaderValue;
use http::header::HOST;
use http_body_util::BodyExt;
use std::fmt;

const DYNAMO_JSON: &str = "application/x-amz-json-1.0";

type Fault = Box<dyn std::error::Error + Send + Sync>;

pub(super) fn connector(stores: Stores) -> SharedHttpClient {
    SharedHttpClient::new(InProcess(SharedHttpConnector::new(Connector(stores))))
}

/// The SDK's HTTP client that has no network behind it.
#[derive(Debug)]
struct InProcess(SharedHttpConnector);

impl HttpClient for InProcess {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        self.0.clone()
    }
}

#[derive(Clone)]
struct Connector(Stores);

impl fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Connector(in-process stores)")
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let stores = self.0.clone();
        HttpConnectorFuture::new(async move {
            if request.uri().starts_with(DYNAMO_ENDPOINT) {
                return ask_dynamo(&stores, request).await.map_err(failed);
            }
            if request.uri().contains(".amazonaws.com") {
                return Err(ConnectorError::user(NOT_LOCAL.into()));
            }
            ask_s3(&stores, request).await.map_err(failed)
        })
    }
}

/// Everything but AWS itself counts as S3, whatever public origin the links are signed for.
const NOT_LOCAL: &str =
    "the local run never calls AWS: set AWS_ENDPOINT_URL_DYNAMODB and AWS_ENDPOINT_URL_S3";

async fn ask_dynamo(stores: &Stores, mut request: HttpRequest) -> Result<HttpResponse, Fault> {
    let body = request.take_body().collect().await?.to_bytes();
    let target = request.headers().get("x-amz-target").unwrap_or_default();
    let (status, json) = dynamo::answer(&stores.0.engine, target, &body).await;
    let mut response = HttpResponse::new(StatusCode::try_from(status)?, SdkBody::from(json));
    response.headers_mut().insert("content-type", DYNAMO_JSON);
    Ok(response)
}

async fn ask_s3(stores: &Stores, request: HttpRequest) -> Result<HttpResponse, Fault> {
    let mut request = request.try_into_http1x()?;
    // The signature covers the host; on the way through a socket, the HTTP client would have written it.
    let authority = request.uri().authority().map(|authority| authority.as_str().to_owned());
    if let Some(authority) = authority {
        request.headers_mut().insert(HOST, HeaderValue::try_from(authority)?);
    }
    let response = stores.0.s3.call(request.map(s3s::Body::http_body_unsync)).await;
    let response = response.map_err(|error| Fault::from(format!("{error:?}")))?;
    Ok(HttpResponse::try_from(response.map(SdkBody::from_body_1_x))?)
}

fn failed(fault: Fault) -> ConnectorError {
    ConnectorError::other(fault, None)
}
