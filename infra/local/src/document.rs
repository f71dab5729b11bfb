//! The OpenAPI document: what each function documents of itself, and what is true of all of them.

use utoipa::OpenApi as _;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi, RefOr, Required, ServerBuilder};

/// What each function documents of itself.
fn parts() -> Vec<OpenApi> {
    vec![
        function_account::Api::openapi(),
        function_admin::Api::openapi(),
        function_claim_transfer::Api::openapi(),
        function_drives::Api::openapi(),
        function_identity_webhook::Api::openapi(),
        function_oauth_callback::Api::openapi(),
        function_pricing::Api::openapi(),
        function_run_tool::Api::openapi(),
        function_runs::Api::openapi(),
        function_provider_webhook::Api::openapi(),
        function_sepay_webhook::Api::openapi(),
        function_top_ups::Api::openapi(),
        function_uploads::Api::openapi(),
    ]
}

/// The OpenAPI document of all functions.
pub fn openapi() -> OpenApi {
    let merged = parts().into_iter().reduce(|mut document, part| {
        document.merge(part);
        document
    });
    let mut document = merged.unwrap_or_default();
    document.info.title = "Citipen".to_owned();
    document.info.version = "1".to_owned();
    document.info.description = Some(
        "Pay-as-you-go AI tools. An amount of credit is a Credits, an amount of money outside a Money. Every refusal is an \
         RFC 9457 problem document that says whether credit was taken and what to do."
            .to_owned(),
    );
    // A relative address counts from where the document lies, `/v1/openapi.json`: one document serves every deployment.
    let here = ServerBuilder::new().url("..").description(Some("The deployment that serves this document"));
    let local = ServerBuilder::new().url("http://127.0.0.1:3000").description(Some("`cargo run`"));
    document.servers = Some(vec![here.build(), local.build()]);
    let components = document.components.get_or_insert_default();
    for (name, scheme) in security_schemes() {
        components.add_security_scheme(name, scheme);
    }
    for path in document.paths.paths.values_mut() {
        without_null(path);
        path.get.as_mut().into_iter().for_each(with_etag);
    }
    document
}

/// Every way in which a request can show who sent it.
fn security_schemes() -> [(&'static str, SecurityScheme); 10] {
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("Clerk's sign-in token. It lives a minute: get a fresh one for each call."))
        .build();
    let header = |name: &str, description: &str| {
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(name, description)))
    };
    let link = "Of the browser in which the link was begun; beside it the state that the drive brings back.";
    let order_key = "The order's own key, part of every link in the order: pictures and pages are loaded without a token.";
    [
        ("sign_in_token", SecurityScheme::Http(token)),
        (
            "link_cookie",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
                "__Host-link-{drive}",
                link,
            ))),
        ),
        ("order_key", SecurityScheme::ApiKey(ApiKey::Query(ApiKeyValue::with_description("key", order_key)))),
        (
            "clerk_signature",
            header("svix-signature", "Clerk's, over the raw body, `svix-id` and `svix-timestamp`"),
        ),
        (
            "sepay_signature",
            header("x-sepay-signature", "SePay's, over the raw body and `x-sepay-timestamp`"),
        ),
        (
            "fal_signature",
            header(
                "x-fal-webhook-signature",
                "fal's, over the raw body and `x-fal-webhook-request-id`, `-user-id`, `-timestamp`",
            ),
        ),
        (
            "replicate_signature",
            header(
                "webhook-signature",
                "Replicate's, over `webhook-id`, `webhook-timestamp` and the raw body",
            ),
        ),
        (
            "apify_token",
            header("x-citipen-token", "The run's own, which was given to Apify when its actor was started"),
        ),
        ("sepay_api_key", header("authorization", "`Apikey` and the key that was set at SePay")),
        ("sepay_secret", header("x-secret-key", "The secret that was set at SePay's gateway")),
    ]
}

/// A query or header may be left out, but there is no way to send it as null.
fn without_null(path: &mut PathItem) {
    let operations = [&mut path.get, &mut path.post, &mut path.patch, &mut path.delete, &mut path.put];
    let parameters = operations.into_iter().flatten().flat_map(|operation| operation.parameters.iter_mut());
    for parameter in parameters.flatten() {
        let RefOr::T(parameter) = parameter else { continue };
        if let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema
            && let SchemaType::Array(types) = &schema.schema_type
            && let [kind, Type::Null] | [Type::Null, kind] = types.as_slice()
        {
            schema.schema_type = SchemaType::Type(kind.clone());
        }
    }
}

/// What the edge does for every JSON document that a `GET` answers with (`shared/edge/src/etag.rs`).
fn with_etag(operation: &mut Operation) {
    let Some(RefOr::T(document)) = operation.responses.responses.get_mut("200") else { return };
    if !document.content.contains_key("application/json") {
        return;
    }
    let tag = || ObjectBuilder::new().schema_type(Type::String).build();
    let header = HeaderBuilder::new().schema(Some(tag())).description(Some("Names exactly this document"));
    document.headers.insert("ETag".to_owned(), RefOr::T(header.build()));
    let unchanged =
        ResponseBuilder::new().description("The document is still the one that `If-None-Match` names");
    operation.responses.responses.insert("304".to_owned(), RefOr::T(unchanged.build()));
    let known = ParameterBuilder::new()
        .name("If-None-Match")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some("The `ETag` of the document that you have: 304 says that it still holds"))
        .schema(Some(tag()));
    operation.parameters.get_or_insert_default().push(RefOr::T(known.build()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn one_name_in_the_document_means_one_shape() {
        let mut shapes = HashMap::new();
        for part in parts() {
            for (name, shape) in part.components.unwrap_or_default().schemas {
                let shape = serde_json::to_value(shape).unwrap();
                let first = shapes.entry(name.clone()).or_insert_with(|| shape.clone());
                assert_eq!(*first, shape, "two functions mean different things by {name}");
            }
        }
    }
}
