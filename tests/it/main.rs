//! The product looked at from outside: real HTTP, embedded stores, the sandbox, a clock that tests move.

mod balances;
mod books;
mod concurrency;
mod content;
mod costs;
mod crashes;
mod edge_cases;
mod failures;
mod hanging;
mod identity;
mod lambda;
mod ledger;
mod main_job;
mod odd_answers;
mod openapi;
mod payments;
mod permissions;
mod rates;
mod repeats;
mod rights;
mod settings;
mod streams;
mod template;
mod world;
