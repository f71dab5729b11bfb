//! Who may do what: decided here, in one place, before anything of a request but its token is read.

use crate::{Problem, ProblemCode};
use credits::{Block, Freshness};
use identity::Caller;

/// Minutes a sign-in may be old for what can't be undone.
const STEP_UP_MINUTES_MAX: u32 = 10;

/// What a route needs of the person who calls it; the README has the table. A handler asks for it by its type:
/// `Allowed<Spend>`.
pub trait Permission: Send + Sync + 'static {
    #[doc(hidden)]
    const RULE: Rule;
}

/// Whom a permission lets in. A deleted person is let in nowhere.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a column of the README's table")]
pub struct Rule {
    is_for_suspended: bool,
    is_for_impersonators: bool,
    is_for_administrators_alone: bool,
    needs_fresh_sign_in: bool,
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $value:literal),+ })+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy)]
            pub enum $name {}

            impl Permission for $name {
                const RULE: Rule = Rule { $($field: $value),+ };
            }
        )+
    };
}

permissions! {
    /// To see what is one's own: balance, history, runs and their outputs, orders.
    Look {
        is_for_suspended: true, is_for_impersonators: true,
        is_for_administrators_alone: false, needs_fresh_sign_in: false
    }
    /// To correct one's own data and to give up an order.
    Change {
        is_for_suspended: true, is_for_impersonators: false,
        is_for_administrators_alone: false, needs_fresh_sign_in: false
    }
    /// To have a price bound.
    AskPrice {
        is_for_suspended: false, is_for_impersonators: true,
        is_for_administrators_alone: false, needs_fresh_sign_in: false
    }
    /// To start what costs or brings credit: runs, orders, claims.
    Spend {
        is_for_suspended: false, is_for_impersonators: false,
        is_for_administrators_alone: false, needs_fresh_sign_in: false
    }
    /// To see what administrators see.
    Inspect {
        is_for_suspended: false, is_for_impersonators: false,
        is_for_administrators_alone: true, needs_fresh_sign_in: false
    }
    /// To move other people's credit.
    Administer {
        is_for_suspended: false, is_for_impersonators: false,
        is_for_administrators_alone: true, needs_fresh_sign_in: true
    }
}

impl Rule {
    /// An administrator who was deleted a moment ago must not move anybody's credit.
    pub(crate) fn freshness(self) -> Freshness {
        if self.is_for_administrators_alone { Freshness::Consistent } else { Freshness::Eventual }
    }

    /// The gravest reason first; `Ok` lets the caller in.
    pub(crate) fn judge(
        self,
        caller: &Caller,
        block: Option<Block>,
        is_administrator: bool,
    ) -> Result<(), Problem> {
        if block == Some(Block::Closed) {
            return Err(Problem::deleted_person());
        }
        if caller.is_impersonated && !self.is_for_impersonators {
            return Err(ProblemCode::ImpersonationRefused.into());
        }
        if self.is_for_administrators_alone && !is_administrator {
            return Err(ProblemCode::NotAdministrator.into());
        }
        if block == Some(Block::Suspended) && !self.is_for_suspended {
            return Err(ProblemCode::AccountSuspended.into());
        }
        let is_fresh = caller.factor_age_minutes.is_some_and(|age| age <= STEP_UP_MINUTES_MAX);
        if self.needs_fresh_sign_in && !is_fresh {
            return Err(ProblemCode::StepUpRequired.into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ProblemCode::{
        AccountSuspended, ImpersonationRefused, NotAdministrator, StepUpRequired, Unauthenticated,
    };

    const CLOSED: Option<Block> = Some(Block::Closed);
    const SUSPENDED: Option<Block> = Some(Block::Suspended);

    fn caller(is_impersonated: bool, factor_age_minutes: Option<u32>) -> Caller {
        let user = "user_ann".parse().unwrap();
        Caller { user, login: "sess_1".to_owned(), is_impersonated, factor_age_minutes }
    }

    #[test]
    fn each_permission_lets_in_whom_the_table_says() {
        let (ann, stand_in) = (caller(false, Some(0)), caller(true, Some(0)));
        let (rules, refused) = (
            [Look::RULE, Change::RULE, AskPrice::RULE, Spend::RULE, Inspect::RULE, Administer::RULE],
            |code| Some(code),
        );
        type Row<'a> = (&'a Caller, Option<Block>, bool, [Option<ProblemCode>; 6]);
        let (deleted, stood_in) = (refused(Unauthenticated), refused(ImpersonationRefused));
        let (suspended, plain) = (refused(AccountSuspended), refused(NotAdministrator));
        let table: [Row<'_>; 8] = [
            (&ann, None, false, [None, None, None, None, plain, plain]),
            (&ann, None, true, [None; 6]),
            (&ann, SUSPENDED, false, [None, None, suspended, suspended, plain, plain]),
            (&ann, SUSPENDED, true, [None, None, suspended, suspended, suspended, suspended]),
            (&ann, CLOSED, false, [deleted; 6]),
            (&ann, CLOSED, true, [deleted; 6]),
            (&stand_in, None, true, [None, stood_in, None, stood_in, stood_in, stood_in]),
            (&stand_in, CLOSED, true, [deleted; 6]),
        ];
        for (caller, block, is_administrator, expected) in table {
            for (rule, expected) in rules.into_iter().zip(expected) {
                let found = rule.judge(caller, block, is_administrator).err().map(|problem| problem.code());
                assert_eq!(found, expected, "{caller:?} {block:?} {is_administrator} {rule:?}");
            }
        }
    }

    #[test]
    fn what_moves_others_credit_needs_a_sign_in_of_the_last_ten_minutes() {
        for (age, expected) in
            [(Some(10), None), (Some(11), Some(StepUpRequired)), (None, Some(StepUpRequired))]
        {
            let judged = Administer::RULE.judge(&caller(false, age), None, true);
            assert_eq!(judged.err().map(|problem| problem.code()), expected, "{age:?}");
        }
    }
}
