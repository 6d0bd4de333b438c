//! Query words of the binary API: a stack of answers per row (RouterOS manual "API", section Queries).

use super::request::{Shown, Trap};

/// Says whether a row satisfies the query words, given without their `?`.
///
/// # Errors
/// When a word is none of the forms the manual lists, or an operator finds too few answers on the stack.
pub fn matches(row: &Shown, queries: &[String]) -> Result<bool, Trap> {
    let mut stack: Vec<bool> = Vec::new();
    for word in queries {
        match word.strip_prefix('#') {
            Some(operators) => operate(&mut stack, operators)?,
            None => stack.push(test(row, word)),
        }
    }
    Ok(stack.into_iter().all(|answer| answer))
}

fn find<'a>(row: &'a Shown, name: &str) -> Option<&'a str> {
    row.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn test(row: &Shown, word: &str) -> bool {
    if let Some(name) = word.strip_prefix('-') {
        return find(row, name).is_none();
    }
    let (kind, rest) = match word.as_bytes().first() {
        Some(b'<') => (std::cmp::Ordering::Less, &word[1..]),
        Some(b'>') => (std::cmp::Ordering::Greater, &word[1..]),
        Some(b'=') => (std::cmp::Ordering::Equal, &word[1..]),
        _ => (std::cmp::Ordering::Equal, word),
    };
    match rest.split_once('=') {
        None => find(row, rest).is_some(),
        Some((name, wanted)) => find(row, name).is_some_and(|value| compare(value, wanted) == kind),
    }
}

/// Compares as numbers where both are, as truth where both are, as text otherwise.
fn compare(value: &str, wanted: &str) -> std::cmp::Ordering {
    if let (Ok(a), Ok(b)) = (value.parse::<u64>(), wanted.parse::<u64>()) {
        return a.cmp(&b);
    }
    let plain = match (value, wanted) {
        ("true", "yes") => "true",
        ("false", "no") => "false",
        _ => wanted,
    };
    value.cmp(plain)
}

fn operate(stack: &mut Vec<bool>, operators: &str) -> Result<(), Trap> {
    let malformed = || Trap::of(5, "invalid query");
    let mut index = String::new();
    for operator in operators.chars() {
        match operator {
            '0'..='9' => index.push(operator),
            '!' => *stack.last_mut().ok_or_else(malformed)? ^= true,
            '&' | '|' => {
                let right = stack.pop().ok_or_else(malformed)?;
                let left = stack.pop().ok_or_else(malformed)?;
                stack.push(if operator == '&' { left && right } else { left || right });
            }
            '.' => {
                let at = index.parse::<usize>().map_err(|_| malformed())?;
                index.clear();
                let copy = *stack.iter().rev().nth(at).ok_or_else(malformed)?;
                stack.push(copy);
            }
            _ => return Err(malformed()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(words: &[&str]) -> Result<bool, Trap> {
        let row = [(".id", "*1"), ("name", "asha"), ("disabled", "false"), ("mtu", "1420")];
        let row = row.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        matches(&row, &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn stack_of_answers() {
        for (words, answer) in [
            (&["name=asha"][..], true),
            (&["name=otieno"], false),
            (&["name"], true),
            (&["-comment"], true),
            (&["comment"], false),
            (&["disabled=no"], true),
            (&[">mtu=1400"], true),
            (&["<mtu=1400"], false),
            (&["=name=asha"], true),
            (&["name=otieno", "name=asha", "#|"], true),
            (&["name=otieno", "#!"], true),
            (&["name=asha", "mtu=1", "#&!"], true),
            (&["name=asha", "name=otieno"], false),
            (&[], true),
        ] {
            assert_eq!(ask(words), Ok(answer), "{words:?}");
        }
        assert!(ask(&["#|"]).is_err() && ask(&["name", "#?"]).is_err());
    }
}
