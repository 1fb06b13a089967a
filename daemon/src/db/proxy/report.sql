DECLARE
    fault jsonb;
    done integer := asked - cardinality(faults);
    others jsonb[] := ARRAY(SELECT f FROM unnest(faults) AS f WHERE f ->> 'state' IS DISTINCT FROM unknown);
BEGIN
    -- One of the partitions knows what is meant, or a partition that does not answer may: that the others do not is
    -- no fault.
    IF done > 0 OR cardinality(others) > 0 THEN
        faults := others;
        done := asked - cardinality(faults);
    END IF;
    IF cardinality(faults) = 0 THEN
        RETURN;
    END IF;
    fault := faults[1];
    IF asked = 1 OR (done = 0 AND fault ->> 'state' <> 'XX000'
        AND NOT EXISTS (SELECT FROM unnest(faults) AS f WHERE f ->> 'state' <> fault ->> 'state'))
    THEN
        RAISE EXCEPTION USING ERRCODE = fault ->> 'state', MESSAGE = fault ->> 'message',
            DETAIL = fault ->> 'detail', HINT = fault ->> 'hint';
    END IF;
    RAISE EXCEPTION USING
        ERRCODE = fault ->> 'state',
        MESSAGE = format('%s was done on %s of %s partitions', called, done, asked),
        DETAIL = (SELECT string_agg(format('p%s: %s', f ->> 'place', rtrim(f ->> 'message', E'\n')), E'\n') FROM unnest(faults) AS f),
        HINT = 'What is done stays done. Call it again when all partitions answer: it may be repeated.';
END
