use crate::Rail;
use crate::words::read_words;
use credits::OnceKey;
use primitives::{AccountId, Credits, EntryId, Money, Timestamp, TopUpId};
use std::fmt;
use std::str::FromStr;

/// The name of one real-world payment, the same whoever tells us of it: its money key.
///
/// Written `rail.outside-id.part`, e.g. `viet_qr.92704.0`; one TRON transaction can hold several parts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FactKey {
    rail: Rail,
    outside: String,
    part: String,
}

/// The text names no payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a payment's id is rail.outside-id.part, e.g. viet_qr.92704.0")]
pub struct InvalidFactKey;

/// One authentic payment and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    pub key: FactKey,
    pub amount: Money,
    /// When the payer's money moved, as the processor tells it.
    pub paid_at: Timestamp,
    /// When we first heard of it.
    pub heard_at: Timestamp,
    /// How we first heard of it.
    pub via: Via,
    /// The processor's or bank's own reference, for support.
    pub trace: String,
    /// The processor's record as it was last looked at, where it tells when it changed.
    pub checked_at: Option<Timestamp>,
    pub state: FactState,
    /// The payment that this one probably repeats under another id.
    pub repeats: Option<FactKey>,
    /// Orders it may have meant; looked up when it began to wait.
    pub likely: Vec<LikelyOrder>,
    /// Accounts whose people say that it is theirs, the first one first.
    pub claimants: Vec<AccountId>,
    /// Counts the changes, so that two administrators don't overwrite each other.
    pub version: u64,
}

/// An order that a payment may have meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LikelyOrder {
    pub account: AccountId,
    pub order: TopUpId,
    pub price: Money,
    pub why: LikelyWhy,
}

/// Why an order is likely; the likeliest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LikelyWhy {
    /// The text names several orders, and the payment is exactly what they cost together.
    SumOfOrders,
    /// The text names this order, and the payment is exactly what it costs.
    Named,
    /// The text has a code that is one mistake away from the order's, and the payment is exactly what it costs.
    NearCode,
    /// The text names this order, which costs something else.
    NamedOtherAmount,
    /// The code is one mistake away, and the order costs something else.
    NearCodeOtherAmount,
    /// An unpaid order of that time costs exactly as much.
    SameAmount,
}

/// Who told us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    Webhook,
    Poll,
    Reconciliation,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FactState {
    /// It became credit.
    Credited(Credited),
    /// Authentic, and nobody knows whose: an administrator looks at it.
    Unmatched { why: Unmatched, near: Option<(AccountId, TopUpId)> },
    /// One person claims it, and nothing speaks against them but that they named it themselves: it becomes their
    /// credit when the time is over and nobody else has claimed it. An administrator may decide before.
    Claimed(PendingClaim),
    /// An administrator said that it is not a top-up; `why` is what it had waited for.
    Dismissed { why: Unmatched },
    /// Money that left, or came into another account: kept, never credited.
    Ignored(Ignored),
    /// Taken back by the processor before it was credited; whatever comes later is not credited.
    Voided,
}

/// A claim that waits for others to object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingClaim {
    pub account: AccountId,
    /// The claimant's unpaid order that the payment is near to.
    pub order: TopUpId,
    pub at: Timestamp,
    /// From here on it is granted.
    pub until: Timestamp,
}

/// Credit that came of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credited {
    pub account: AccountId,
    pub order: Option<TopUpId>,
    pub credits: Credits,
    pub entry: EntryId,
    /// How much of it is taken back at the moment.
    pub reversed: Credits,
}

/// Why an arrival is not credited by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmatched {
    NoOrder,
    /// The text names several open orders.
    SeveralOrders,
    /// Worth less than the profile credits by itself.
    TooLittle,
    /// Worth more than the profile credits by itself.
    TooMuch,
    /// After the order's expiry and grace.
    TooLate,
    /// Before the order it would fit was made.
    TooEarly,
    /// A card payment of another amount than ordered.
    OtherAmount,
    /// The order has had as many payments as one can hold.
    OrderFull,
    AccountClosed,
    /// The body is authentic and can't be understood.
    Unreadable,
    /// The processor's own record of it contradicts itself.
    Odd,
    /// The message says paid, the processor's record does not (yet).
    Unconfirmed,
    /// It names an order of ours and came into another account.
    OtherAccount,
    /// Equal in reference, amount, account and time to a payment that was told under another id.
    LikelyRepeat,
    /// The webhook said before that it is not ours to credit: money that left, or another account's.
    Contradicted,
    /// Several people claim it, or one whom neither time nor amount shows to be its sender.
    ClaimUnclear,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    Outgoing,
    OtherAccount,
}

const OUTSIDE_CHARS_MAX: usize = 128;
const PART_CHARS_MAX: usize = 40;
/// What the name of a payment begins with whose message holds no id that can be read.
pub(crate) const UNREADABLE: &str = "unreadable-";
/// What the part of a fact begins with that is about another one.
pub(crate) const ODD: &str = "odd-";

impl FactKey {
    /// `outside` is the processor's id, `part` tells several payments under one id apart. Both are letters, digits,
    /// `-` and `_`.
    pub fn new(rail: Rail, outside: &str, part: &str) -> Result<FactKey, InvalidFactKey> {
        let is_plain = |text: &str, max: usize| {
            (1..=max).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        if !is_plain(outside, OUTSIDE_CHARS_MAX) || !is_plain(part, PART_CHARS_MAX) {
            return Err(InvalidFactKey);
        }
        Ok(FactKey { rail, outside: outside.to_owned(), part: part.to_owned() })
    }

    pub fn rail(&self) -> Rail {
        self.rail
    }

    /// Rail and outside id: what several parts have in common.
    pub(crate) fn source(&self) -> String {
        format!("{}.{}", self.rail, self.outside)
    }

    /// The processor's own id of it.
    pub(crate) fn outside(&self) -> &str {
        &self.outside
    }

    pub(crate) fn part(&self) -> &str {
        &self.part
    }

    /// The ledger accepts one grant under this name, ever.
    pub(crate) fn grant_key(&self) -> OnceKey {
        OnceKey::new(self.rail.as_str(), format_args!("{}.{}", self.outside, self.part))
    }

    /// The name of another grant for the same payment, after the first was taken back whole: an assignment to the
    /// wrong person must be curable. `version` is the fact's, which its writing is conditional on.
    pub(crate) fn grant_again_key(&self, version: u64) -> OnceKey {
        let name = format_args!("{}.{}.again-{version}", self.outside, self.part);
        OnceKey::new(self.rail.as_str(), name)
    }

    /// The same outside id with another part.
    pub(crate) fn with_part(&self, part: &str) -> Result<FactKey, InvalidFactKey> {
        FactKey::new(self.rail, &self.outside, part)
    }

    /// Without the processor's own id nobody can tell whether the same payment is told again under it.
    pub(crate) fn is_anonymous(&self) -> bool {
        self.outside.starts_with(UNREADABLE)
    }
}

impl FromStr for FactKey {
    type Err = InvalidFactKey;

    fn from_str(text: &str) -> Result<FactKey, InvalidFactKey> {
        let mut parts = text.splitn(3, '.');
        let (Some(rail), Some(outside), Some(part)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(InvalidFactKey);
        };
        FactKey::new(rail.parse().map_err(|_| InvalidFactKey)?, outside, part)
    }
}

impl fmt::Display for FactKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.rail, self.outside, self.part)
    }
}

impl Fact {
    /// Whether credit of it stands that its processor's list must show. What was taken back is not expected there any
    /// more, nor is what has another name there.
    pub(crate) fn stands(&self) -> bool {
        match &self.state {
            FactState::Credited(credited) => {
                credited.reversed < credited.credits && !self.key.part().starts_with(ODD)
            }
            _ => false,
        }
    }

    /// Whether an administrator may decide about it: nothing was credited or dismissed.
    pub fn is_open(&self) -> bool {
        matches!(self.state, FactState::Unmatched { .. } | FactState::Claimed(_))
    }
}

impl FactState {
    /// All words of [`FactState::as_str`].
    pub const WORDS: &[&str] = &["credited", "unmatched", "claimed", "dismissed", "ignored", "voided"];

    /// The stable word for table and API.
    pub fn as_str(&self) -> &'static str {
        match self {
            FactState::Credited(_) => "credited",
            FactState::Unmatched { .. } => "unmatched",
            FactState::Claimed(_) => "claimed",
            FactState::Dismissed { .. } => "dismissed",
            FactState::Ignored(_) => "ignored",
            FactState::Voided => "voided",
        }
    }
}

read_words!(Via { Webhook => "webhook", Poll => "poll", Reconciliation => "reconciliation" });
read_words!(Ignored { Outgoing => "outgoing", OtherAccount => "other_account" });
read_words!(Unmatched {
    NoOrder => "no_order",
    SeveralOrders => "several_orders",
    TooLittle => "too_little",
    TooMuch => "too_much",
    TooLate => "too_late",
    TooEarly => "too_early",
    OtherAmount => "other_amount",
    OrderFull => "order_full",
    AccountClosed => "account_closed",
    Unreadable => "unreadable",
    Odd => "odd",
    Unconfirmed => "unconfirmed",
    OtherAccount => "other_account",
    LikelyRepeat => "likely_repeat",
    Contradicted => "contradicted",
    ClaimUnclear => "claim_unclear",
});
read_words!(LikelyWhy {
    SumOfOrders => "sum_of_orders",
    Named => "named",
    NearCode => "near_code",
    NamedOtherAmount => "named_other_amount",
    NearCodeOtherAmount => "near_code_other_amount",
    SameAmount => "same_amount",
});

impl Unmatched {
    /// Whether a later word of the processor may still credit it without a person.
    pub(crate) fn is_open_to_news(self) -> bool {
        matches!(self, Unmatched::NoOrder | Unmatched::Odd | Unmatched::Unconfirmed | Unmatched::Unreadable)
    }
}
