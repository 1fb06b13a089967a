//! A part of an id or of a name, in any case: how statements look for it.

/// SQL: whether an id holds the text of a parameter, in any case. Ids have the collation C, by which only the letters of ASCII
/// have a case, and reading it costs little. A text with other letters needs the database's collation.
macro_rules! id_holds {
    ($id:literal, $text:literal) => {
        concat!(
            "(CASE WHEN octet_length(",
            $text,
            ") = char_length(",
            $text,
            ") THEN strpos(lower(",
            $id,
            "), lower(",
            $text,
            " COLLATE \"C\")) ELSE strpos(lower(",
            $id,
            " COLLATE \"default\"), lower(",
            $text,
            ")) END > 0)"
        )
    };
}

/// SQL: whether a name holds the text of a parameter, in any case; names have the database's collation.
macro_rules! name_holds {
    ($name:literal, $text:literal) => {
        concat!("(strpos(lower(", $name, "), lower(", $text, ")) > 0)")
    };
}

pub(crate) use {id_holds, name_holds};
