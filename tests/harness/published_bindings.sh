#!/bin/sh
# Runs rustc for cargo, and lets pgrx-pg-sys take the bindings that its authors publish with it, which
# docs.rs takes too, instead of generating them from PostgreSQL's headers.
case " $* " in *" --crate-name pgrx_pg_sys "*)
    set -- "$@" --cfg docsrs
    export RUSTC_BOOTSTRAP=1 ;;
esac
exec "$@"
