//! The functions of expressions, without those that `stats` aggregates with.

use super::run::Failure;
use super::value::Value;

/// How long a text that a function makes may be. Ours: it stops texts that double with each command.
const TEXT_BYTES_MAX: usize = 2 << 20;

/// A function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Abs,
    Ceil,
    Floor,
    Round,
    Greatest,
    Least,
    Log,
    Sqrt,
    Coalesce,
    IsPresent,
    IsEmpty,
    IsBlank,
    Concat,
    Trim,
    TrimLeft,
    TrimRight,
    StrLen,
    ToUpper,
    ToLower,
    Substr,
    Replace,
    StrContains,
    FromMillis,
    ToMillis,
    Now,
    IsValidIp,
    IsValidIpV4,
    IsValidIpV6,
}

impl Function {
    /// Finds a function by its name, in any case, with the least and the largest number of its arguments.
    pub(super) fn find(name: &str) -> Option<(Self, usize, usize)> {
        const MANY: usize = 64;
        Some(match name.to_ascii_lowercase().as_str() {
            "abs" => (Self::Abs, 1, 1),
            "ceil" => (Self::Ceil, 1, 1),
            "floor" => (Self::Floor, 1, 1),
            "round" => (Self::Round, 1, 1),
            "greatest" => (Self::Greatest, 1, MANY),
            "least" => (Self::Least, 1, MANY),
            "log" => (Self::Log, 1, 1),
            "sqrt" => (Self::Sqrt, 1, 1),
            "coalesce" => (Self::Coalesce, 1, MANY),
            "ispresent" => (Self::IsPresent, 1, 1),
            "isempty" => (Self::IsEmpty, 1, 1),
            "isblank" => (Self::IsBlank, 1, 1),
            "concat" => (Self::Concat, 1, MANY),
            "trim" => (Self::Trim, 1, 2),
            "ltrim" => (Self::TrimLeft, 1, 2),
            "rtrim" => (Self::TrimRight, 1, 2),
            "strlen" => (Self::StrLen, 1, 1),
            "toupper" | "upper" => (Self::ToUpper, 1, 1),
            "tolower" | "lower" => (Self::ToLower, 1, 1),
            "substr" => (Self::Substr, 2, 3),
            "replace" => (Self::Replace, 3, 3),
            "strcontains" => (Self::StrContains, 2, 2),
            "frommillis" => (Self::FromMillis, 1, 1),
            "tomillis" => (Self::ToMillis, 1, 1),
            "now" => (Self::Now, 0, 0),
            "isvalidip" => (Self::IsValidIp, 1, 1),
            "isvalidipv4" => (Self::IsValidIpV4, 1, 1),
            "isvalidipv6" => (Self::IsValidIpV6, 1, 1),
            _ => return None,
        })
    }
}

/// Calls a function with as many arguments as it takes.
pub(super) fn call(function: Function, arguments: &[Value], now_ms: i64) -> Result<Value, Failure> {
    let first = arguments.first().unwrap_or(&Value::Missing);
    let text = || first.print();
    let of_text = |of: &dyn Fn(&str) -> Value| text().map_or(Value::Missing, |text| of(&text));
    let of_number =
        |of: fn(f64) -> f64| first.number().map_or(Value::Missing, |number| Value::of_number(of(number)));
    let numbers = || arguments.iter().filter_map(Value::number);
    // Whole numbers of characters.
    let count = |at: usize| arguments.get(at).and_then(Value::number).map(|number| number.max(0.0) as usize);
    let trimmed = |of: fn(&str, &[char]) -> String| {
        let marks =
            arguments.get(1).map_or_else(|| " \t\r\n".to_owned(), |set| set.print().unwrap_or_default());
        let marks: Vec<char> = marks.chars().collect();
        of_text(&|text| Value::Text(of(text, &marks)))
    };
    Ok(match function {
        Function::Abs => of_number(f64::abs),
        Function::Ceil => of_number(f64::ceil),
        Function::Floor => of_number(f64::floor),
        Function::Round => of_number(f64::round),
        Function::Log => of_number(f64::ln),
        Function::Sqrt => of_number(f64::sqrt),
        Function::Greatest => numbers().reduce(f64::max).map_or(Value::Missing, Value::of_number),
        Function::Least => numbers().reduce(f64::min).map_or(Value::Missing, Value::of_number),
        Function::Coalesce => {
            arguments.iter().find(|value| **value != Value::Missing).cloned().unwrap_or(Value::Missing)
        }
        Function::IsPresent => Value::Boolean(*first != Value::Missing),
        Function::IsEmpty => Value::Boolean(text().is_none_or(|text| text.is_empty())),
        Function::IsBlank => Value::Boolean(text().is_none_or(|text| text.trim().is_empty())),
        Function::Concat => bounded(arguments.iter().filter_map(Value::print).collect())?,
        Function::Trim => trimmed(|text, marks| text.trim_matches(marks).to_owned()),
        Function::TrimLeft => trimmed(|text, marks| text.trim_start_matches(marks).to_owned()),
        Function::TrimRight => trimmed(|text, marks| text.trim_end_matches(marks).to_owned()),
        Function::StrLen => of_text(&|text| Value::Number(text.chars().count() as f64)),
        Function::ToUpper => of_text(&|text| Value::Text(text.to_uppercase())),
        Function::ToLower => of_text(&|text| Value::Text(text.to_lowercase())),
        Function::Substr => of_text(&|text| {
            let rest = text.chars().skip(count(1).unwrap_or(0));
            Value::Text(rest.take(count(2).unwrap_or(usize::MAX)).collect())
        }),
        Function::Replace => match (text(), arguments[1].print(), arguments[2].print()) {
            (Some(text), Some(wanted), Some(with)) if !wanted.is_empty() => {
                let times = text.matches(&wanted).count();
                if text.len() + times * with.len() > TEXT_BYTES_MAX {
                    return Err(Failure::TooLarge);
                }
                Value::Text(text.replace(&wanted, &with))
            }
            (Some(text), ..) => Value::Text(text),
            (None, ..) => Value::Missing,
        },
        Function::StrContains => {
            let part = arguments[1].print();
            Value::Boolean(text().zip(part).is_some_and(|(text, part)| text.contains(&part)))
        }
        Function::FromMillis => first.number().map_or(Value::Missing, |ms| Value::Time(ms as i64)),
        Function::ToMillis => first.number().map_or(Value::Missing, Value::Number),
        Function::Now => Value::Number((now_ms / 1_000) as f64),
        Function::IsValidIp => is_valid(&text(), |text| text.parse::<std::net::IpAddr>().is_ok()),
        Function::IsValidIpV4 => is_valid(&text(), |text| text.parse::<std::net::Ipv4Addr>().is_ok()),
        Function::IsValidIpV6 => is_valid(&text(), |text| text.parse::<std::net::Ipv6Addr>().is_ok()),
    })
}

fn is_valid(text: &Option<String>, is: fn(&str) -> bool) -> Value {
    Value::Boolean(text.as_deref().is_some_and(is))
}

fn bounded(text: String) -> Result<Value, Failure> {
    if text.len() > TEXT_BYTES_MAX { Err(Failure::TooLarge) } else { Ok(Value::Text(text)) }
}
