# The daily commands by short names: `just` lists them. Nothing needs this file; each line is the command itself.

# Lists the commands.
default:
    @just --list --unsorted

# Starts everything on one machine: `just run --port 4000`, `just run --fresh`.
run *options:
    cargo run -- {{options}}

# The same, as the release build.
run-fast *options:
    cargo run --release -- {{options}}

# Shows the addresses of the sandbox's pages while `just run` is on: the outside world and its faults, its bank, its chain.
page base="http://127.0.0.1:3000":
    @echo "{{base}}/sandbox                  the outside world, its faults and its journal"
    @echo "{{base}}/sandbox/tronscan/page    a page to send USDT with"

# A fresh sign-in token of a person of the sandbox, for `Authorization: Bearer`.
token person="ann" base="http://127.0.0.1:3000":
    @curl -s '{{base}}/sandbox/clerk/token?person={{person}}'

# All tests: the README's command.
test:
    cargo test --workspace --locked

# The scenarios whose name holds one of these words: `just scenario failures:: a_quote`.
scenario +names:
    cargo test --locked -p citipen-tests --test it -- {{names}}

# One test by its name, in whatever crate it is: `just one a_charge_never_exceeds_its_reservation`.
one name:
    cargo test --workspace --locked -- {{name}}

# The rules of one crate: `just rules credits`.
rules crate:
    cargo test --locked -p citipen-{{crate}}

# Format and lints, as .ci/run asks them.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings

# Formats.
fmt:
    cargo fmt --all

# Writes the OpenAPI document anew, after a route or a shape changed.
openapi:
    mkdir -p target
    cargo run --quiet --locked -- openapi > target/openapi.json
    mv target/openapi.json functions/pricing/openapi.json

# Everything about template.yaml that can be known without an account.
validate:
    infra/deploy/validate.sh

# A deployment without an account: the scripts against a played one, e.g. `just deploy-dry -k killed`.
deploy-dry *words:
    tests/deploy/check.sh {{words}}

# The document against the running product, by requests that are made up: `just contract show_account`.
contract *operations:
    tests/contract/check.sh {{operations}}

# A TypeScript and a Python client made of the document do the README's walk, type-checked.
clients:
    tests/contract/clients.sh

# The figures of docs/FIGURES.md: `just bench`, `just bench --lambda`, `just bench --costs`.
bench *options:
    cargo bench -p citipen-tests -- {{options}}

# What must hold before a push.
ci:
    .ci/run
