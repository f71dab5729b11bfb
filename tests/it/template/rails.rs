//! What belongs to a payment rail alone: there only where the profile offers the rail, and configured by its own parameter.

use super::*;
use emulator::{Given, resolved};
use payments::{Rail, TopUpRules};

/// The words of `Mappings` for a rail.
pub(super) const OFFERED: &str = "offered";
pub(super) const NOT_OFFERED: &str = "not offered";

#[test]
fn a_rail_without_its_parameter_is_not_configured() {
    assert_fine(check_rails(&template()));

    let variables = "/Resources/SepayWebhook/Properties/Environment/Variables";
    let unasked = changed(&format!("{variables}/BANK_ACCOUNT"), json!({ "Ref": "BankAccount" }));
    assert_complains(check_rails(&unasked), "BANK_ACCOUNT is there without BankAccount");
    let swapped = changed(&format!("{variables}/SEPAY_MERCHANT_ID/Fn::If/0"), json!("HasTransfers"));
    assert_complains(check_rails(&swapped), "SEPAY_MERCHANT_ID is there without SepayMerchantId");
    let other = changed("/Conditions/HasUsdt", json!({ "Fn::Equals": [1, 1] }));
    assert_complains(check_rails(&other), "HasUsdt does not say");
}

#[test]
fn what_is_of_a_rail_alone_is_deployed_only_where_the_profile_offers_it() {
    assert_fine(check_conditions(&template(), &function_sources(), &profiles()));

    let complains = |pointer: &str, value: Value, part: &str| {
        let changed = changed(pointer, value);
        assert_complains(check_conditions(&changed, &function_sources(), &profiles()), part);
    };
    for (resource, condition) in [
        ("TronPoll", "OffersTronUsdt"),
        ("ClaimTransferPermission", "OffersTronUsdt"),
        ("SepayWebhook", "HearsSepay"),
        ("SepayWebhookErrorsAlarm", "HearsSepay"),
        ("OauthCallback", "OffersDrives"),
        ("DrivesErrorsAlarm", "OffersDrives"),
    ] {
        let pointer = format!("/Resources/{resource}/Condition");
        for other in [Value::Null, json!("OffersVietQr"), json!("HasUsdt")] {
            complains(&pointer, other, &format!("{resource} is not there by {condition}"));
        }
    }
    complains(
        "/Resources/TronPollLogs/Condition",
        json!("OffersTronUsdt"),
        "TronPollLogs must be there always",
    );
    complains("/Resources/TopUps/Condition", json!("OffersVietQr"), "TopUps must be there always");
    let either = "/Conditions/HearsSepay/Fn::Or/1/Condition";
    complains(either, json!("OffersTronUsdt"), "SepayWebhook is not there by");
    let always = json!({ "Fn::Equals": [1, 1] });
    complains("/Conditions/OffersTronUsdt", always, "OffersTronUsdt does not say");
    let text = "/Resources/Api/Properties/DefinitionBody/info/description";
    complains(text, json!("citipen: viet_qr"), "the API says \"citipen: viet_qr\" of the rails");
    let mut sources = function_sources();
    sources.insert("Pricing".to_owned(), "ChainDesk::new".to_owned());
    let found = check_conditions(&template(), &sources, &profiles());
    assert_complains(found, "Pricing is not there by OffersTronUsdt");
}

/// Whichever rails a profile offers, what is left refers to nothing that is not there.
#[test]
fn without_any_of_its_rails_a_deployment_is_whole() {
    let rails = Rail::ALL;
    for offered in 0..1_u32 << rails.len() {
        let offered: Vec<Rail> = rails
            .iter()
            .copied()
            .enumerate()
            .filter(|(at, _)| offered >> at & 1 == 1)
            .map(|(_, rail)| rail)
            .collect();
        let deployed = deployed(&template(), &offered);
        assert_fine(check_references(&deployed));
        assert_fine(check_what_is_there(&deployed, &offered));
    }

    let cards = deployed(&template(), &[Rail::SepayCard]);
    let gone = |pointer: &str, value: Value| {
        let mut cards = cards.clone();
        *cards.pointer_mut(pointer).unwrap() = value;
        check_references(&cards)
    };
    let table = "/Resources/Dashboard/Properties/DashboardBody/Fn::Sub/1/TronPoll";
    assert_complains(gone(table, json!({ "Ref": "TronPoll" })), "Dashboard refers to TronPoll");
    let alarm = "/Resources/AdminErrorsAlarm/Properties/Dimensions/0/Value";
    assert_complains(
        gone(alarm, json!({ "Ref": "ClaimTransfer" })),
        "AdminErrorsAlarm refers to ClaimTransfer",
    );
    let route = "/Resources/Api/Properties/DefinitionBody/paths/~1v1~1account/get";
    let uri = json!({ "Fn::Sub": "functions/${ClaimTransfer.Arn}/invocations" });
    assert_complains(gone(route, json!({ "uri": uri })), "Api refers to ClaimTransfer");
    let more = changed("/Resources/TronPoll/Condition", Value::Null);
    assert_complains(check_what_is_there(&deployed(&more, &[]), &[]), "TronPoll is deployed");
    let route = "/Resources/Api/Properties/DefinitionBody/paths/~1v1~1top-ups~1claims/Fn::If/0";
    let open = deployed(&changed(route, json!("HearsSepay")), &[Rail::SepayCard]);
    assert_complains(check_references(&open), "Api refers to ClaimTransfer");
    let settings = "/Resources/Api/Properties/MethodSettings/6";
    let setting = template().pointer(settings).unwrap()["Fn::If"][1].clone();
    let open = deployed(&changed(settings, setting), &[]);
    assert_complains(check_references(&open), "there is no path /v1/webhooks/sepay/ipn to throttle");
    assert_complains(check_what_is_there(&cards, &[Rail::TronUsdt]), "TronPoll is not deployed");
}

/// What a function builds where it hears of a rail, or asks for it.
const DESKS: &[(&str, Rail)] =
    &[("CardDesk::", Rail::SepayCard), ("BankDesk::", Rail::VietQr), ("ChainDesk::", Rail::TronUsdt)];

/// The functions that only these rails need.
const FUNCTIONS_OF_RAILS: &[(&str, &[Rail])] = &[
    ("ClaimTransfer", &[Rail::TronUsdt]),
    ("SepayWebhook", &[Rail::SepayCard, Rail::VietQr]),
    ("TronPoll", &[Rail::TronUsdt]),
];

/// The functions that are there only where people can link drives, and the condition of that.
const FUNCTIONS_OF_DRIVES: &[&str] = &["Drives", "OauthCallback"];
const OFFERS_DRIVES: &str = "OffersDrives";

/// The template of a deployment whose profile offers these rails, and no drives.
fn deployed(template: &Value, offered: &[Rail]) -> Value {
    let mut template = template.clone();
    template["Mappings"]["Profiles"]["citipen"]["Drives"] = json!(NOT_OFFERED);
    for rail in Rail::ALL {
        let word = if offered.contains(rail) { OFFERED } else { NOT_OFFERED };
        template["Mappings"]["Profiles"]["citipen"][pascal(rail.as_str())] = json!(word);
    }
    let required = ["AllowedOrigins", "ClerkIssuer", "ClerkInstanceId"];
    let given = Given {
        parameters: required.map(|name| (name.to_owned(), json!("given"))).into(),
        region: "us-east-1".to_owned(),
        ..Given::default()
    };
    resolved(&template, &given).unwrap()
}

fn offers(rail: Rail) -> String {
    format!("Offers{}", pascal(rail.as_str()))
}

/// A rail whose parameter is empty is not configured. Its secrets may still lie there: no function uses them without the parameter.
fn check_rails(template: &Value) -> Complaints {
    let rails = [
        (Rail::SepayCard, "HasCards", "SepayMerchantId", &["SEPAY_MERCHANT_ID"][..]),
        (Rail::VietQr, "HasTransfers", "BankAccount", &["BANK_"]),
        (Rail::TronUsdt, "HasUsdt", "TronWallet", &["TRON"]),
    ];
    let mut complaints = Complaints::new();
    let unknown = Rail::ALL.iter().filter(|rail| rails.iter().all(|(known, ..)| known != *rail));
    complaints
        .extend(unknown.map(|rail| format!("check_rails does not say which parameter configures {rail}")));
    for (rail, condition, parameter, settings) in rails {
        let is_given = json!({ "Fn::Not": [{ "Fn::Equals": [{ "Ref": parameter }, ""] }] });
        let wanted = json!({ "Fn::And": [{ "Condition": offers(rail) }, is_given] });
        if template["Conditions"][condition] != wanted || template["Parameters"][parameter]["Default"] != "" {
            complaints.push(format!("{condition} does not say that {parameter} is given and {rail} offered"));
        }
        for (name, function) in of_type(template, "AWS::Serverless::Function") {
            for (variable, value) in function["Environment"]["Variables"].as_object().into_iter().flatten() {
                let is_of_rail = settings.iter().any(|setting| variable.starts_with(setting));
                let form = &value["Fn::If"];
                if is_of_rail && (form[0] != condition || form[2] != json!({ "Ref": "AWS::NoValue" })) {
                    complaints.push(format!("{name}: {variable} is there without {parameter}"));
                }
            }
        }
    }
    complaints
}

/// Every function that builds desks, and what comes with it, is there if one of their rails is offered; everything else
/// always.
fn check_conditions(
    template: &Value,
    sources: &BTreeMap<String, String>,
    profiles: &[Platform],
) -> Complaints {
    let mut complaints = Complaints::new();
    let conditions = &template["Conditions"];
    for rail in Rail::ALL {
        let word = json!({ "Fn::FindInMap": ["Profiles", { "Ref": "Profile" }, pascal(rail.as_str())] });
        if conditions[offers(*rail)] != json!({ "Fn::Equals": [word, OFFERED] }) {
            complaints.push(format!("{} does not say that the profile offers {rail}", offers(*rail)));
        }
    }
    let word = json!({ "Fn::FindInMap": ["Profiles", { "Ref": "Profile" }, "Drives"] });
    if conditions[OFFERS_DRIVES] != json!({ "Fn::Equals": [word, OFFERED] }) {
        complaints.push(format!("{OFFERS_DRIVES} does not say that the profile offers drives"));
    }
    let without_desk = Rail::ALL.iter().filter(|rail| DESKS.iter().all(|(_, known)| known != *rail));
    complaints.extend(without_desk.map(|rail| format!("DESKS does not say what hears of {rail}")));
    let is_of_rails = |name: &str| FUNCTIONS_OF_RAILS.iter().any(|(function, _)| *function == name);
    for (name, source) in sources {
        let built = DESKS.iter().filter(|(desk, _)| source.contains(desk));
        let rails: Vec<String> = built.map(|(_, rail)| offers(*rail)).collect();
        let of_each = rails.iter().map(|rail| json!({ "Condition": rail })).collect::<Vec<Value>>();
        let several = json!({ "Fn::Or": of_each });
        let wanted = match &rails[..] {
            [] if FUNCTIONS_OF_DRIVES.contains(&name.as_str()) => Some(OFFERS_DRIVES),
            [] => None,
            [one] => Some(one.as_str()),
            _ => conditions
                .as_object()
                .unwrap()
                .iter()
                .find(|(_, is)| **is == several)
                .map(|(name, _)| &**name),
        };
        if rails.is_empty() == is_of_rails(name) {
            complaints.push(format!("FUNCTIONS_OF_RAILS says otherwise of {name}"));
        }
        // Its log is kept under a fixed name, so it must be there always: it could not be made a second time.
        let logs = &template["Resources"][format!("{name}Logs")];
        if !logs["Condition"].is_null() {
            complaints.push(format!("{name}Logs must be there always"));
        }
        for part in ["", "Permission", "ErrorsAlarm"] {
            let part = format!("{name}{part}");
            let Some(resource) = template["Resources"].get(&part) else { continue };
            let found = resource["Condition"].as_str();
            match wanted {
                _ if found == wanted && (wanted.is_some() || rails.is_empty()) => {}
                None if rails.is_empty() => complaints.push(format!("{part} must be there always")),
                _ => complaints
                    .push(format!("{part} is not there by {}", wanted.unwrap_or("any of its rails"))),
            }
        }
    }
    let of_profile = |platform: &Platform| {
        let methods = platform.rules(TopUpRules::read).unwrap().methods;
        let mut names: Vec<&str> = methods.iter().map(|rail| rail.as_str()).collect();
        let has_drives = !platform.rules(drives::DriveRules::read).unwrap().offered.is_empty();
        names.extend(has_drives.then_some("drives"));
        names.sort_unstable();
        format!("{}: {}", platform.profile().name, names.join(", "))
    };
    let wanted = profiles.iter().map(of_profile).collect::<Vec<_>>().join("; ");
    let found = &template["Resources"]["Api"]["Properties"]["DefinitionBody"]["info"]["description"];
    if *found != wanted {
        complaints
            .push(format!("the API says {found} of the rails, not {wanted}, so it would stay as it was"));
    }
    complaints
}

/// `deployed` is a template whose conditions are filled in.
fn check_references(deployed: &Value) -> Complaints {
    let mut complaints = Complaints::new();
    for part in ["Resources", "Outputs"] {
        for (name, entry) in deployed[part].as_object().unwrap() {
            for reference in references(entry) {
                let is_there = reference.starts_with("AWS::")
                    || ["Parameters", "Resources"]
                        .iter()
                        .any(|part| deployed[part].get(&reference).is_some());
                if !is_there {
                    complaints.push(format!("{name} refers to {reference}, which is not there"));
                }
            }
        }
    }
    let api = &deployed["Resources"]["Api"]["Properties"];
    for setting in list(&api["MethodSettings"]) {
        let path = text(&setting["ResourcePath"]).replacen("/~1", "/", 1).replace("~1", "/");
        if path != "/*" && api["DefinitionBody"]["paths"].get(&path).is_none() {
            complaints.push(format!("there is no path {path} to throttle"));
        }
    }
    complaints
}

/// What a value refers to: by `Ref`, `Fn::GetAtt`, in a `Fn::Sub`, or as what it depends on.
fn references(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    match value {
        Value::Array(items) => found.extend(items.iter().flat_map(references)),
        Value::Object(fields) => {
            for (key, inner) in fields {
                match key.as_str() {
                    "Ref" => found.push(text(inner)),
                    "Fn::GetAtt" => found.push(text(&inner[0])),
                    "DependsOn" => found.extend(inner.as_str().map(str::to_owned)),
                    "Fn::Sub" => {
                        let (pattern, own) = match inner {
                            Value::Array(parts) => (text(&parts[0]), parts[1].clone()),
                            pattern => (text(pattern), Value::Null),
                        };
                        let names =
                            pattern.split("${").skip(1).map(|rest| rest.split(['}', '.']).next().unwrap());
                        found.extend(names.filter(|name| own.get(name).is_none()).map(str::to_owned));
                        found.extend(references(&own));
                    }
                    _ => found.extend(references(inner)),
                }
            }
        }
        _ => {}
    }
    found
}

/// The functions of rails are there exactly where one of their rails is.
fn check_what_is_there(deployed: &Value, offered: &[Rail]) -> Complaints {
    let functions = of_type(deployed, "AWS::Serverless::Function");
    let called: BTreeSet<&str> = operations(deployed).iter().filter_map(Operation::function).collect();
    let mut complaints = Complaints::new();
    for function in FUNCTIONS_OF_DRIVES {
        if functions.contains_key(function) || called.contains(function) {
            complaints.push(format!("{function} is deployed without drives"));
        }
    }
    for (function, rails) in FUNCTIONS_OF_RAILS {
        let is_wanted = rails.iter().any(|rail| offered.contains(rail));
        let ticks = *function == "TronPoll";
        if is_wanted && !functions.contains_key(function) {
            complaints.push(format!("{function} is not deployed for {offered:?}"));
        }
        if is_wanted && !ticks && !called.contains(function) {
            complaints.push(format!("no route leads to {function} for {offered:?}"));
        }
        if !is_wanted && functions.contains_key(function) {
            complaints.push(format!("{function} is deployed for {offered:?}"));
        }
        if !is_wanted && called.contains(function) {
            complaints.push(format!("a route leads to {function} for {offered:?}"));
        }
    }
    complaints
}
