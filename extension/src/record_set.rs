//! Answers of several rows.

use pgrx::pg_sys;

use crate::entry::Args;
use crate::statement::Param;

/// Returns these rows as the function's set, in the row type that its SQL signature names.
pub fn return_rows<T>(args: &Args, rows: &[T], fields: impl Fn(&T) -> Vec<Param>) {
    unsafe {
        pg_sys::InitMaterializedSRF(args.0, 0);
        let info = (*args.0).resultinfo.cast::<pg_sys::ReturnSetInfo>();
        let (store, descriptor) = ((*info).setResult, (*info).setDesc);
        for row in rows {
            let fields = fields(row);
            let mut values: Vec<pg_sys::Datum> =
                fields.iter().map(|field| field.unwrap_or(pg_sys::Datum::null())).collect();
            let mut nulls: Vec<bool> = fields.iter().map(Option::is_none).collect();
            pg_sys::tuplestore_putvalues(store, descriptor, values.as_mut_ptr(), nulls.as_mut_ptr());
        }
    }
}
