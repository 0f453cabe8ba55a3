# A convenience: the scripts do the work and need no just.

demo:
    ./scripts/demo

test *flags:
    ./scripts/test {{flags}}

build:
    go build -o corr ./backend/cmd/corr

fmt:
    ./scripts/fmt

lint:
    ./scripts/lint

bench:
    ./scripts/bench

# Measure the whole, beside other tools; writes docs/performance.md
bench-whole:
    ./scripts/bench-whole

fields:
    go run ./backend/cmd/corr fields

package:
    ./scripts/package

corpus *flags:
    ./scripts/corpus {{flags}}

screenshots:
    ./scripts/screenshots

versions *suites:
    ./scripts/versions {{suites}}

record kind folder:
    ./scripts/record {{kind}} {{folder}}

# Measure what the plugin adds to tshark
bench-plugin *flags:
    ./scripts/bench-plugin {{flags}}

# Run each fuzz target for a time
fuzz *flags:
    ./scripts/fuzz {{flags}}
