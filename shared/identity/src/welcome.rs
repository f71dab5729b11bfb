//! Who may have the welcome credit: one per e-mail, and only so many per network and day.

use crate::items::USERS;
use crate::users::Users;
use crate::{FirstSight, Welcome, WelcomeRefused};
use aws_sdk_dynamodb::types::AttributeValue;
use platform::{ItemBuilder, Profile, Settings, StoreError, key, number, text, unless_condition_failed};
use primitives::{Credits, UserId};
use serde::Deserialize;
use std::time::Duration;

/// The sections of a profile that this crate owns.
pub const SECTIONS: &[&str] = &[WelcomeRules::SECTION];

/// How long we remember that an address has had its welcome (retention: 12 to 24 months).
const EMAIL_REMEMBERED: Duration = Duration::from_secs(730 * 24 * 60 * 60);
/// A network's row serves one day; its key changes with the date.
const NETWORK_REMEMBERED: Duration = Duration::from_secs(2 * 24 * 60 * 60);

/// The profile's section `welcome`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WelcomeRules {
    /// Credit given once to a new person.
    pub credits: Credits,
    /// Welcome credits per network and day (`WELCOMES_PER_NETWORK_DAY_MAX`).
    pub per_network_day_max: u32,
}

impl WelcomeRules {
    const SECTION: &str = "welcome";

    pub fn read(profile: &Profile, settings: &mut Settings<'_>) -> Option<WelcomeRules> {
        let mut rules: WelcomeRules = profile.section(WelcomeRules::SECTION, settings)?;
        settings.replace("WELCOMES_PER_NETWORK_DAY_MAX", &mut rules.per_network_day_max, "a whole number");
        Some(rules)
    }
}

impl Users {
    /// `address`: the verified one; `None` when Clerk has told us that there is none. Each step can be repeated: the
    /// same user id passes again and takes no second place.
    pub(crate) async fn decide_welcome(
        &self,
        sight: &FirstSight<'_>,
        address: Option<&str>,
    ) -> Result<Welcome, StoreError> {
        let Some(address) = address else {
            return Ok(Welcome::Refused(WelcomeRefused::NoVerifiedEmail));
        };
        if !self.take_email(sight.user, address).await? {
            return Ok(Welcome::Refused(WelcomeRefused::EmailSeenBefore));
        }
        match sight.network {
            Some(network) if !self.take_network_place(sight.user, network).await? => {
                Ok(Welcome::Refused(WelcomeRefused::NetworkLimit))
            }
            _ => Ok(Welcome::Eligible),
        }
    }

    /// False when the address belongs to another user id.
    pub(crate) async fn take_email(&self, user: &UserId, address: &str) -> Result<bool, StoreError> {
        let now = self.platform.now();
        let row = ItemBuilder::default()
            .text("id", format!("email#{}", self.pseudonyms.of("email", &[&normalised(address)])))
            .text("owner", user)
            .number("ttl", now.after(EMAIL_REMEMBERED).seconds())
            .build();
        let put = self.platform.dynamo().put_item().table_name(&self.table).set_item(Some(row));
        let answer = put
            // A row past its time may still be there: DynamoDB deletes within days.
            .condition_expression("attribute_not_exists(#id) OR #owner = :me OR #ttl <= :now")
            .expression_attribute_names("#id", "id")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":me", text(user))
            .expression_attribute_values(":now", number(now.seconds()))
            .send()
            .await;
        Ok(unless_condition_failed(answer)?.is_some())
    }

    /// False when the network has given its last place of the day to somebody else.
    ///
    /// The row holds the user ids instead of a count, so that a page's parallel first requests take one place.
    async fn take_network_place(&self, user: &UserId, network: &str) -> Result<bool, StoreError> {
        let places = self.welcome.per_network_day_max;
        if places == 0 {
            return Ok(false);
        }
        let now = self.platform.now();
        let id = format!("net#{}", self.pseudonyms.of("network", &[network, &now.date()]));
        let update = self.platform.dynamo().update_item().table_name(&self.table);
        let answer = update
            .set_key(Some(key([(USERS.partition_key, &id)])))
            .update_expression("SET #ttl = :ttl ADD #members :members")
            .condition_expression(
                "attribute_not_exists(#members) OR size(#members) < :places OR contains(#members, :me)",
            )
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_names("#members", "members")
            .expression_attribute_values(":ttl", number(now.after(NETWORK_REMEMBERED).seconds()))
            .expression_attribute_values(":members", AttributeValue::Ss(vec![user.to_string()]))
            .expression_attribute_values(":places", number(places))
            .expression_attribute_values(":me", text(user))
            .send()
            .await;
        Ok(unless_condition_failed(answer)?.is_some())
    }
}

/// One spelling per mailbox: lower case, no `+tag`, and no dots where the provider ignores them.
fn normalised(address: &str) -> String {
    let lower = address.trim().to_lowercase();
    let Some((mailbox, domain)) = lower.rsplit_once('@') else { return lower };
    let mailbox = mailbox.split_once('+').map_or(mailbox, |(name, _tag)| name);
    match domain {
        "gmail.com" | "googlemail.com" => format!("{}@gmail.com", mailbox.replace('.', "")),
        _ => format!("{mailbox}@{domain}"),
    }
}

#[cfg(test)]
mod tests {
    use super::normalised;

    #[test]
    fn spellings_of_one_mailbox_are_one() {
        let table = [
            ("Ann@Example.com", "ann@example.com"),
            ("ann+welcome@example.com", "ann@example.com"),
            ("a.n.n@example.com", "a.n.n@example.com"),
            ("A.n.N+x@gmail.com", "ann@gmail.com"),
            ("ann@GoogleMail.com", "ann@gmail.com"),
            (" ann@gmail.com ", "ann@gmail.com"),
            ("no-address", "no-address"),
        ];
        for (address, expected) in table {
            assert_eq!(normalised(address), expected);
        }
    }
}
