/* An extension with a planner hook, as others have one: it counts plannings, and refuses a statement with
 * everything that an error can say. */
#include "postgres.h"

#include "fmgr.h"
#include "optimizer/planner.h"

PG_MODULE_MAGIC;

static planner_hook_type next = NULL;
static int64 plannings = 0;

static PlannedStmt *
plan(Query *query, const char *text, int options, ParamListInfo params)
{
    plannings++;
    elog(DEBUG1, "planning: %s", text ? text : "");
    if (text && strstr(text, "/* forbidden */"))
        ereport(ERROR,
                (errcode(MAKE_SQLSTATE('W', 'T', '1', '2', '3')),
                 errmsg("the witness forbids it"),
                 errdetail("its detail"),
                 errhint("its hint"),
                 errcontext("while the witness looked"),
                 errposition(7),
                 err_generic_string(PG_DIAG_SCHEMA_NAME, "a schema"),
                 err_generic_string(PG_DIAG_TABLE_NAME, "a table"),
                 err_generic_string(PG_DIAG_COLUMN_NAME, "a column"),
                 err_generic_string(PG_DIAG_DATATYPE_NAME, "a type"),
                 err_generic_string(PG_DIAG_CONSTRAINT_NAME, "a constraint")));
    if (next)
        return next(query, text, options, params);
    return standard_planner(query, text, options, params);
}

void _PG_init(void);

void
_PG_init(void)
{
    next = planner_hook;
    planner_hook = plan;
}

PG_FUNCTION_INFO_V1(witness_plannings);

Datum
witness_plannings(PG_FUNCTION_ARGS)
{
    PG_RETURN_INT64(plannings);
}
