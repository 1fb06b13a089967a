//! The settings that decide about a plan: a session may have set any of them to anything.

use pgrx::pg_sys;
use std::ffi::c_int;

macro_rules! settings {
    ($($name:ident: $kind:ty = $ours:expr),* $(,)?) => {
        /// Settings of the planner, by their names.
        #[derive(Clone, Copy, Debug)]
        pub(super) struct Settings {
            $($name: $kind),*
        }

        impl Settings {
            /// Those that our statements are planned with.
            pub const OURS: Settings = Settings { $($name: $ours),* };

            /// Those that hold now.
            pub fn current() -> Settings {
                unsafe { Settings { $($name: pg_sys::$name),* } }
            }

            /// Makes them hold.
            pub fn apply(&self) {
                unsafe { $(pg_sys::$name = self.$name;)* }
            }
        }
    };
}

impl Settings {
    /// For a statement that reads all rows of some time: a BRIN index gives nothing but bitmaps.
    pub const OF_A_TIME: Settings = Settings { enable_bitmapscan: true, ..Settings::OURS };
}

// No sequential scans, no joins that read whole tables, no bitmaps, which pay for many rows and not for the few
// that are asked for here, and no JIT, since compiling a look-up takes a thousand times as long as it. All else is
// PostgreSQL's default.
settings! {
    enable_seqscan: bool = false,
    enable_bitmapscan: bool = false,
    enable_hashjoin: bool = false,
    enable_mergejoin: bool = false,
    jit_enabled: bool = false,
    enable_indexscan: bool = true,
    enable_indexonlyscan: bool = true,
    enable_tidscan: bool = true,
    enable_nestloop: bool = true,
    enable_sort: bool = true,
    enable_incremental_sort: bool = true,
    enable_hashagg: bool = true,
    enable_material: bool = true,
    enable_memoize: bool = true,
    enable_geqo: bool = false,
    from_collapse_limit: c_int = 8,
    join_collapse_limit: c_int = 8,
    seq_page_cost: f64 = 1.0,
    random_page_cost: f64 = 4.0,
    cpu_tuple_cost: f64 = 0.01,
    cpu_index_tuple_cost: f64 = 0.005,
    cpu_operator_cost: f64 = 0.0025,
    // In pages of 8 kB, and in kB.
    effective_cache_size: c_int = 524_288,
    work_mem: c_int = 4_096,
    hash_mem_multiplier: f64 = 2.0,
}
