//! Operators and the built-in functions that need no device.

use std::net::{IpAddr, Ipv4Addr};

use super::host::ScriptError;
use super::program::{Binary, Function, Unary};
use super::{Element, Value, pattern};

/// Whether a condition holds; an absent property does not.
pub(super) fn truth(value: &Value) -> Result<bool, ScriptError> {
    match value {
        Value::Bool(value) => Ok(*value),
        Value::Nil => Ok(false),
        _ => Err("conditional not boolean".into()),
    }
}

pub(super) fn unary(operator: Unary, value: &Value) -> Result<Value, ScriptError> {
    match operator {
        Unary::Not => truth(value).map(|value| Value::Bool(!value)),
        Unary::Negate => value
            .as_num()
            .map(|value| Value::Num(value.wrapping_neg()))
            .ok_or_else(|| format!("cannot negate {}", value.type_name()).into()),
    }
}

/// Both sides have been evaluated, for RouterOS does not stop at the left one.
pub(super) fn binary(operator: Binary, left: Value, right: Value) -> Result<Value, ScriptError> {
    Ok(match operator {
        Binary::Or => Value::Bool(truth(&left)? | truth(&right)?),
        Binary::And => Value::Bool(truth(&left)? & truth(&right)?),
        Binary::Equal => Value::Bool(left.same(&right)),
        Binary::Unequal => Value::Bool(!left.same(&right)),
        Binary::Less | Binary::LessEqual | Binary::Greater | Binary::GreaterEqual => compare(operator, &left, &right)?,
        Binary::Match => Value::Bool(!matches!(left, Value::Nil) && pattern::matches(&left.text(), &right.text())?),
        Binary::Append => append(left, right),
        Binary::Concat => match (&left, &right) {
            (Value::Array(_), _) | (_, Value::Array(_)) => return Err("not supported by the simulator: . with an array".into()),
            _ => Value::Str(left.text() + &right.text()),
        },
        Binary::Element => element(&left, &right)?,
        Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Divide | Binary::Modulo => {
            arithmetic(operator, &left, &right)?
        }
    })
}

fn compare(operator: Binary, left: &Value, right: &Value) -> Result<Value, ScriptError> {
    if matches!(left, Value::Nil) || matches!(right, Value::Nil) {
        return Ok(Value::Bool(false));
    }
    let order = left
        .order(right)
        .ok_or_else(|| ScriptError(format!("cannot compare {} with {}", left.type_name(), right.type_name())))?;
    Ok(Value::Bool(match operator {
        Binary::Less => order.is_lt(),
        Binary::LessEqual => order.is_le(),
        Binary::Greater => order.is_gt(),
        _ => order.is_ge(),
    }))
}

fn append(left: Value, right: Value) -> Value {
    let mut elements = Vec::new();
    for side in [left, right] {
        match side {
            Value::Array(side) => elements.extend(side),
            Value::Nothing => {}
            value => elements.push(Element { key: None, value }),
        }
    }
    Value::Array(elements)
}

fn element(array: &Value, key: &Value) -> Result<Value, ScriptError> {
    let found = match (array, key) {
        (Value::Array(elements), Value::Num(index)) => usize::try_from(*index).ok().and_then(|index| elements.get(index)),
        (Value::Array(elements), key) => elements.iter().find(|element| element.key.as_deref() == Some(key.text().as_str())),
        (Value::Nothing, _) => None,
        _ => return Err(ScriptError(format!("cannot take an element of {}", array.type_name()))),
    };
    Ok(found.map_or(Value::Nothing, |element| element.value.clone()))
}

fn arithmetic(operator: Binary, left: &Value, right: &Value) -> Result<Value, ScriptError> {
    let refused = || ScriptError(format!("cannot compute with {} and {}", left.type_name(), right.type_name()));
    if let (Some(a), Some(b)) = (left.as_num(), right.as_num()) {
        return Ok(Value::Num(match operator {
            Binary::Add => a.wrapping_add(b),
            Binary::Subtract => a.wrapping_sub(b),
            Binary::Multiply => a.wrapping_mul(b),
            _ if b == 0 => return Err("division by zero".into()),
            Binary::Divide => a.wrapping_div(b),
            _ => a.wrapping_rem(b),
        }));
    }
    match (operator, left, right) {
        (Binary::Add, Value::Time(a), Value::Time(b)) => a.checked_add(*b).map(Value::Time),
        (Binary::Subtract, Value::Time(a), Value::Time(b)) => a.checked_sub(*b).map(Value::Time),
        (Binary::Multiply, Value::Time(a), Value::Num(b)) => {
            u32::try_from(*b).ok().and_then(|b| a.checked_mul(b)).map(Value::Time)
        }
        (Binary::Divide, Value::Time(a), Value::Num(b)) => u32::try_from(*b).ok().and_then(|b| a.checked_div(b)).map(Value::Time),
        (Binary::Add, Value::Ip(IpAddr::V4(a)), Value::Num(b)) => i64::from(u32::from(*a)).checked_add(*b).and_then(ip),
        (Binary::Subtract, Value::Ip(IpAddr::V4(a)), Value::Num(b)) => i64::from(u32::from(*a)).checked_sub(*b).and_then(ip),
        (Binary::Subtract, Value::Ip(IpAddr::V4(a)), Value::Ip(IpAddr::V4(b))) => {
            Some(Value::Num(i64::from(u32::from(*a)) - i64::from(u32::from(*b))))
        }
        _ => None,
    }
    .ok_or_else(refused)
}

fn ip(number: i64) -> Option<Value> {
    u32::try_from(number).ok().map(|number| Value::Ip(Ipv4Addr::from(number).into()))
}

/// Runs a function that needs no device; `:put` and its like are the machine's.
pub(super) fn call(function: Function, args: &[Value]) -> Result<Value, ScriptError> {
    let first = args.first().unwrap_or(&Value::Nothing);
    Ok(match function {
        Function::Len => Value::Num(count(match first {
            Value::Array(elements) => elements.len(),
            value => value.text().chars().count(),
        })),
        Function::ToStr => Value::Str(first.text()),
        Function::ToNum => first.as_num().map_or(Value::Nil, Value::Num),
        Function::ToArray => match first {
            Value::Array(_) => first.clone(),
            Value::Nothing | Value::Nil => Value::Array(Vec::new()),
            value => value.text().split(',').map(Value::literal).collect(),
        },
        Function::TypeOf => first.type_name().into(),
        Function::Pick => pick(first, args)?,
        Function::Find => find(first, args)?,
        Function::Put | Function::Log | Function::Error | Function::Delay => Value::Nothing,
    })
}

/// A count that is far below the largest number.
fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn index(args: &[Value], place: usize, name: &str) -> Result<Option<i64>, ScriptError> {
    let Some(value) = args.get(place) else { return Ok(None) };
    value.as_num().map(Some).ok_or_else(|| ScriptError(format!("invalid value for argument {name}")))
}

/// `:pick what begin [end]`: one element, or those from begin up to and without end.
fn pick(from: &Value, args: &[Value]) -> Result<Value, ScriptError> {
    let begin = index(args, 1, "begin")?.unwrap_or_default().max(0);
    let end = index(args, 2, "end")?;
    let skipped = usize::try_from(begin).unwrap_or(usize::MAX);
    let taken = usize::try_from(end.map_or(1, |end| end.saturating_sub(begin)).max(0)).unwrap_or(usize::MAX);
    Ok(match from {
        Value::Array(elements) => {
            let mut picked = elements.iter().skip(skipped).take(taken);
            match end {
                Some(_) => Value::Array(picked.cloned().collect()),
                None => picked.next().map_or(Value::Nothing, |element| element.value.clone()),
            }
        }
        value => Value::Str(value.text().chars().skip(skipped).take(taken).collect()),
    })
}

/// `:find where what [from]`: the place of the first match behind the place `from`.
fn find(within: &Value, args: &[Value]) -> Result<Value, ScriptError> {
    let wanted = args.get(1).unwrap_or(&Value::Nothing);
    let from = index(args, 2, "from")?.map_or(0, |from| usize::try_from(from.saturating_add(1).max(0)).unwrap_or(usize::MAX));
    let place = match within {
        Value::Array(elements) => elements.iter().skip(from).position(|element| element.value.same(wanted)),
        value => {
            let rest: String = value.text().chars().skip(from).collect();
            rest.find(&wanted.text()).map(|bytes| rest[..bytes].chars().count())
        }
    };
    Ok(place.map_or(Value::Nil, |place| Value::Num(count(from + place))))
}
