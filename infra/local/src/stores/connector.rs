use super::{Stores, dynamo};
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

pub(super) fn connector(stores: Stores, network: Option<SharedHttpClient>) -> SharedHttpClient {
    SharedHttpClient::new(Client { stores, network })
}

/// The SDK's HTTP client: the embedded stores inside this process, over the network those elsewhere.
#[derive(Clone)]
struct Client {
    stores: Stores,
    network: Option<SharedHttpClient>,
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Client(local stores)")
    }
}

impl HttpClient for Client {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let network = self.network.as_ref().map(|network| network.http_connector(settings, components));
        SharedHttpConnector::new(Connector { stores: self.stores.clone(), network })
    }
}

struct Connector {
    stores: Stores,
    network: Option<SharedHttpConnector>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Connector(local stores)")
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let stores = self.stores.clone();
        let is_dynamo = request.headers().get("x-amz-target").is_some();
        let is_embedded = if is_dynamo { stores.0.engine.is_some() } else { stores.0.objects.is_some() };
        if let (Some(network), false) = (&self.network, is_embedded) {
            return network.call(request);
        }
        HttpConnectorFuture::new(async move {
            if request.uri().contains(".amazonaws.com") || !is_embedded {
                return Err(ConnectorError::user(NOT_LOCAL.into()));
            }
            match is_dynamo {
                true => ask_dynamo(&stores, request).await.map_err(failed),
                false => ask_s3(&stores, request).await.map_err(failed),
            }
        })
    }
}

/// Everything but AWS itself counts as S3, whatever public origin the links are signed for.
const NOT_LOCAL: &str =
    "the local run never calls AWS: set AWS_ENDPOINT_URL_DYNAMODB and AWS_ENDPOINT_URL_S3";

async fn ask_dynamo(stores: &Stores, mut request: HttpRequest) -> Result<HttpResponse, Fault> {
    let body = request.take_body().collect().await?.to_bytes();
    let target = request.headers().get("x-amz-target").unwrap_or_default();
    let engine = stores.0.engine.as_ref().ok_or(NOT_LOCAL)?;
    let (status, json) = dynamo::answer(engine, target, &body).await;
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
    let bucket = stores.0.objects.as_ref().ok_or(NOT_LOCAL)?;
    let response = bucket.s3.call(request.map(s3s::Body::http_body_unsync)).await;
    let response = response.map_err(|error| Fault::from(format!("{error:?}")))?;
    Ok(HttpResponse::try_from(response.map(SdkBody::from_body_1_x))?)
}

fn failed(fault: Fault) -> ConnectorError {
    ConnectorError::other(fault, None)
}
