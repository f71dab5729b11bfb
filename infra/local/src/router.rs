use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use edge::SourceIp;
use platform::{InvalidSettings, Platform, TableSpec};
use std::net::SocketAddr;
use utoipa::OpenApi as _;
use utoipa::openapi::path::PathItem;
use utoipa::openapi::schema::{Schema, SchemaType, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi, RefOr};

/// Every table of the product, as their owners declare them.
pub fn tables() -> Vec<TableSpec> {
    let owned = [
        credits::TABLES,
        identity::TABLES,
        runs::TABLES,
        edge::TABLES,
        providers::TABLES,
        payments::TABLES,
        rates::TABLES,
    ];
    owned.concat()
}

/// All functions on one router, as one API Gateway offers them.
pub fn functions(platform: &Platform) -> Result<Router, InvalidSettings> {
    functions_in_roles(platform, |_| Ok(platform.clone()))
}

/// As [`functions`], each built from a platform of its own. `role` is asked with the name of a function's folder.
pub fn functions_in_roles(
    gateway: &Platform,
    role: impl Fn(&str) -> Result<Platform, InvalidSettings>,
) -> Result<Router, InvalidSettings> {
    let of_pages = Router::new()
        .merge(function_account::router(&role("account")?)?)
        .merge(function_admin::router(&role("admin")?)?)
        .merge(function_claim_transfer::router(&role("claim-transfer")?)?)
        .merge(function_pricing::router(&role("pricing")?)?)
        .merge(function_run_tool::router(&role("run-tool")?)?)
        .merge(function_runs::router(&role("runs")?)?)
        .merge(function_top_ups::router(&role("top-ups")?)?);
    let of_services = Router::new()
        .merge(function_identity_webhook::router(&role("identity-webhook")?)?)
        .merge(function_sepay_webhook::router(&role("sepay-webhook")?)?);
    // The gateway's part: it answers what browsers ask before they call, and what leads nowhere.
    let merged = edge::preflights(of_pages, gateway)?.merge(of_services);
    edge::fallback(merged, gateway)
}

/// Tells the edge where a connection came from, as API Gateway does in its event.
pub fn with_source_ip(router: Router) -> Router {
    router.layer(from_fn(async |mut request: Request, next: Next| -> Response {
        if let Some(ConnectInfo(address)) = request.extensions().get::<ConnectInfo<SocketAddr>>().copied() {
            request.extensions_mut().insert(SourceIp(address.ip()));
        }
        next.run(request).await
    }))
}

/// What each function documents of itself.
fn parts() -> [OpenApi; 9] {
    [
        function_account::Api::openapi(),
        function_admin::Api::openapi(),
        function_claim_transfer::Api::openapi(),
        function_identity_webhook::Api::openapi(),
        function_pricing::Api::openapi(),
        function_run_tool::Api::openapi(),
        function_runs::Api::openapi(),
        function_sepay_webhook::Api::openapi(),
        function_top_ups::Api::openapi(),
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
        "Pay-as-you-go AI tools. Amounts are whole ledger units (US cents). Every refusal is an RFC 9457 problem \
         document that says whether credit was taken and what to do."
            .to_owned(),
    );
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("Clerk's sign-in token"))
        .build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("sign_in_token", SecurityScheme::Http(token));
    document.paths.paths.values_mut().for_each(without_null);
    document
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
