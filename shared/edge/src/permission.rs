//! What a caller needs for which kind of route: decided here, in one place, before anything of a request but its token is
//! read.

use crate::{Problem, ProblemCode, Role};
use credits::{Block, Freshness};
use identity::SignIn;

/// Minutes a sign-in may be old for what can't be undone.
const STEP_UP_MINUTES_MAX: u32 = 10;

/// What a route needs of its caller; [`crate::ROUTES`] says which route needs what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Nothing: anybody may, within their network's limit.
    Public,
    /// Nothing that the edge could look at: another service calls, and the function believes it by what it signed.
    Signed,
    /// To see what is one's own: balance, history, runs and their outputs, orders, uploads.
    Look,
    /// To correct one's own data, to give up an order, and to remove an upload.
    Change,
    /// To have a price bound.
    AskPrice,
    /// To start what costs or brings credit, or leads to a run: orders, claims, uploads.
    Spend,
    /// To start a run: as `Spend`, but decided by the reserving write ([`crate::Runner`]).
    Run,
    /// To let a drive receive what the account makes.
    Link,
    /// To end that again; suspended people may, too.
    Unlink,
    /// To see what administrators see.
    Inspect,
    /// To move other people's credit.
    Administer,
}

/// Which people a permission lets in. A deleted person is let in nowhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    is_for_suspended: bool,
    is_for_impersonators: bool,
    role: Option<Role>,
    needs_fresh_sign_in: bool,
}

/// What every rule is unless it says otherwise: for the person themselves, who is not suspended.
const STRICT: Rule =
    Rule { is_for_suspended: false, is_for_impersonators: false, role: None, needs_fresh_sign_in: false };

const ADMINISTRATOR: Option<Role> = Some(Role::Administrator);

impl Permission {
    /// `None`: nobody signs in for it.
    pub(crate) fn rule(self) -> Option<Rule> {
        Some(match self {
            Permission::Public | Permission::Signed => return None,
            Permission::Look => Rule { is_for_suspended: true, is_for_impersonators: true, ..STRICT },
            Permission::Change => Rule { is_for_suspended: true, ..STRICT },
            Permission::AskPrice => Rule { is_for_impersonators: true, ..STRICT },
            Permission::Spend | Permission::Run => STRICT,
            Permission::Link => Rule { needs_fresh_sign_in: true, ..STRICT },
            Permission::Unlink => Rule { is_for_suspended: true, needs_fresh_sign_in: true, ..STRICT },
            Permission::Inspect => Rule { role: ADMINISTRATOR, ..STRICT },
            Permission::Administer => Rule { role: ADMINISTRATOR, needs_fresh_sign_in: true, ..STRICT },
        })
    }

    pub fn needs_sign_in(self) -> bool {
        self.rule().is_some()
    }

    /// The role that alone may do it.
    pub fn role(self) -> Option<Role> {
        self.rule().and_then(|rule| rule.role)
    }
}

impl Rule {
    /// An administrator who was deleted a moment ago must not move anybody's credit.
    pub(crate) fn freshness(self) -> Freshness {
        if self.role.is_some() { Freshness::Consistent } else { Freshness::Eventual }
    }

    /// The gravest reason first; `Ok` lets the caller in.
    pub(crate) fn judge(self, sign_in: &SignIn, roles: &[Role], block: Option<Block>) -> Result<(), Problem> {
        if block == Some(Block::Closed) {
            return Err(Problem::deleted_person());
        }
        if sign_in.is_impersonated && !self.is_for_impersonators {
            return Err(ProblemCode::ImpersonationRefused.into());
        }
        match self.role {
            Some(role @ Role::Administrator) if !roles.contains(&role) => {
                return Err(ProblemCode::NotAdministrator.into());
            }
            Some(Role::Administrator) | None => {}
        }
        if block == Some(Block::Suspended) && !self.is_for_suspended {
            return Err(ProblemCode::AccountSuspended.into());
        }
        let is_fresh = sign_in.factor_age_minutes.is_some_and(|age| age <= STEP_UP_MINUTES_MAX);
        if self.needs_fresh_sign_in && !is_fresh {
            return Err(ProblemCode::StepUpRequired.into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Permission::{Administer, AskPrice, Change, Inspect, Link, Look, Public, Run, Signed, Spend, Unlink};
    use ProblemCode::{
        AccountSuspended, ImpersonationRefused, NotAdministrator, StepUpRequired, Unauthenticated,
    };

    const CLOSED: Option<Block> = Some(Block::Closed);
    const SUSPENDED: Option<Block> = Some(Block::Suspended);

    fn sign_in(is_impersonated: bool, factor_age_minutes: Option<u32>) -> SignIn {
        let user = "user_ann".parse().unwrap();
        SignIn { user, login: "sess_1".to_owned(), is_impersonated, factor_age_minutes }
    }

    #[test]
    fn each_permission_lets_in_whom_the_table_says() {
        let (ann, stand_in) = (sign_in(false, Some(0)), sign_in(true, Some(0)));
        let permissions = [Look, Change, AskPrice, Spend, Run, Link, Unlink, Inspect, Administer];
        let (plain_person, administrator): (&[Role], &[Role]) = (&[], &[Role::Administrator]);
        type Row<'a> = (&'a SignIn, Option<Block>, &'a [Role], [Option<ProblemCode>; 9]);
        let (deleted, stood_in) = (Some(Unauthenticated), Some(ImpersonationRefused));
        let (suspended, plain) = (Some(AccountSuspended), Some(NotAdministrator));
        let table: [Row<'_>; 8] = [
            (&ann, None, plain_person, [None, None, None, None, None, None, None, plain, plain]),
            (&ann, None, administrator, [None; 9]),
            (
                &ann,
                SUSPENDED,
                plain_person,
                [None, None, suspended, suspended, suspended, suspended, None, plain, plain],
            ),
            (
                &ann,
                SUSPENDED,
                administrator,
                [None, None, suspended, suspended, suspended, suspended, None, suspended, suspended],
            ),
            (&ann, CLOSED, plain_person, [deleted; 9]),
            (&ann, CLOSED, administrator, [deleted; 9]),
            (
                &stand_in,
                None,
                administrator,
                [None, stood_in, None, stood_in, stood_in, stood_in, stood_in, stood_in, stood_in],
            ),
            (&stand_in, CLOSED, administrator, [deleted; 9]),
        ];
        for (person, block, roles, expected) in table {
            for (permission, expected) in permissions.into_iter().zip(expected) {
                let judged = permission.rule().unwrap().judge(person, roles, block);
                let found = judged.err().map(|problem| problem.code());
                assert_eq!(found, expected, "{person:?} {block:?} {roles:?} {permission:?}");
            }
        }
        assert!(!Public.needs_sign_in() && !Signed.needs_sign_in());
    }

    #[test]
    fn what_moves_others_credit_or_links_a_drive_needs_a_sign_in_of_the_last_ten_minutes() {
        for (age, expected) in
            [(Some(10), None), (Some(11), Some(StepUpRequired)), (None, Some(StepUpRequired))]
        {
            for permission in [Administer, Link, Unlink] {
                let rule = permission.rule().unwrap();
                let judged = rule.judge(&sign_in(false, age), &[Role::Administrator], None);
                assert_eq!(judged.err().map(|problem| problem.code()), expected, "{permission:?} {age:?}");
            }
        }
    }
}
