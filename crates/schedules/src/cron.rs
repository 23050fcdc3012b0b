//! Cron as AWS writes it: minutes, hours, day of the month, month, day of the week, year.
//!
//! Source: EventBridge User Guide, "Cron expressions reference", read 2026-11. No crate reads this dialect: its days of the
//! week begin with Sunday as 1, `L`, `W` and `#` are in it, and one of the two days is always `?`.

use jiff::civil::{Date, DateTime, Weekday};

use crate::expression::ExpressionError;

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const YEARS: (i16, i16) = (1_970, 2_199);

/// When a calendar says that something runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    minutes: Vec<i16>,
    hours: Vec<i16>,
    days: Days,
    months: Vec<i16>,
    years: Vec<i16>,
}

/// On which days of a month.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Days {
    OfMonth(Vec<DayOfMonth>),
    /// Days of the week, Sunday as 1.
    OfWeek(Vec<i16>),
    /// `6L`: the last Friday.
    LastOfWeek(i16),
    /// `3#2`: the second Tuesday.
    NthOfWeek(i16, i16),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum DayOfMonth {
    Numbers(Vec<i16>),
    /// `L`
    Last,
    /// `15W`: the weekday next to the 15th, in the same month.
    NearestWeekday(i16),
    /// `LW`
    LastWeekday,
}

/// One of the six fields: its name in messages, its smallest and largest value, and names for values.
struct Field {
    name: &'static str,
    least: i16,
    most: i16,
    names: &'static [&'static str],
}

const MINUTES: Field = Field { name: "minutes", least: 0, most: 59, names: &[] };
const HOURS: Field = Field { name: "hours", least: 0, most: 23, names: &[] };
const DAYS_OF_MONTH: Field = Field { name: "day-of-month", least: 1, most: 31, names: &[] };
const MONTH: Field = Field { name: "month", least: 1, most: 12, names: &MONTHS };
const DAYS_OF_WEEK: Field = Field { name: "day-of-week", least: 1, most: 7, names: &WEEKDAYS };
const YEAR: Field = Field { name: "year", least: YEARS.0, most: YEARS.1, names: &[] };

impl Field {
    fn wrong(&self, text: &str) -> ExpressionError {
        ExpressionError(format!("`{text}` is no {} of cron().", self.name))
    }

    fn value(&self, text: &str) -> Result<i16, ExpressionError> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let value = match named {
            Some(at) => i16::try_from(at).ok().map(|at| at + self.least),
            None if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
            None => None,
        };
        value.filter(|value| (self.least..=self.most).contains(value)).ok_or_else(|| self.wrong(text))
    }

    /// Reads one item of a list: `5`, `1-5`, `*`, `0/15`.
    fn item(&self, text: &str) -> Result<Vec<i16>, ExpressionError> {
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => {
                let step = step.parse::<i16>().ok().filter(|step| *step > 0);
                (range, Some(step.ok_or_else(|| self.wrong(text))?))
            }
            None => (text, None),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (self.least, self.most),
            Some((from, to)) => (self.value(from)?, self.value(to)?),
            None if step.is_some() => (self.value(range)?, self.most),
            None => (self.value(range)?, self.value(range)?),
        };
        // `FRI-MON` goes on after the end of the week.
        let values: Vec<i16> = if from <= to {
            (from..=to).collect()
        } else {
            (from..=self.most).chain(self.least..=to).collect()
        };
        let step = usize::try_from(step.unwrap_or(1)).unwrap_or(1);
        Ok(values.into_iter().step_by(step).collect())
    }

    /// Reads a list of items.
    fn list(&self, text: &str) -> Result<Vec<i16>, ExpressionError> {
        let mut values = Vec::new();
        for item in text.split(',') {
            values.extend(self.item(item)?);
        }
        values.sort_unstable();
        values.dedup();
        Ok(values)
    }
}

impl Cron {
    /// Reads what stands between the parentheses.
    pub(crate) fn parse(text: &str) -> Result<Self, ExpressionError> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minutes, hours, day_of_month, month, day_of_week, year] = fields[..] else {
            let message =
                "cron() takes six fields: minutes, hours, day-of-month, month, day-of-week and year.";
            return Err(ExpressionError(message.to_owned()));
        };
        let days = match (day_of_month, day_of_week) {
            ("?", "?") => None,
            (day_of_month, "?") => Some(Days::of_month(day_of_month)?),
            ("?", day_of_week) => Some(Days::of_week(day_of_week)?),
            _ => None,
        };
        let days = days.ok_or_else(|| {
            ExpressionError("Exactly one of day-of-month and day-of-week of cron() is `?`.".to_owned())
        })?;
        Ok(Self {
            minutes: MINUTES.list(minutes)?,
            hours: HOURS.list(hours)?,
            days,
            months: MONTH.list(month)?,
            years: YEAR.list(year)?,
        })
    }

    /// Returns the times from the beginning of a day on, in order.
    pub(crate) fn times_from(&self, first: Date) -> impl Iterator<Item = DateTime> {
        let months = self.years.iter().flat_map(|year| self.months.iter().map(|month| (*year, *month)));
        let days = months
            .filter(move |at| *at >= (first.year(), i16::from(first.month())))
            .filter_map(|(year, month)| Date::new(year, i8::try_from(month).ok()?, 1).ok())
            .flat_map(|month| self.days.in_month(month))
            .filter(move |day| *day >= first);
        days.flat_map(|day| {
            let times = self.hours.iter().flat_map(|hour| self.minutes.iter().map(|minute| (*hour, *minute)));
            times.filter_map(move |(hour, minute)| {
                let (hour, minute) = (i8::try_from(hour).ok()?, i8::try_from(minute).ok()?);
                Some(day.at(hour, minute, 0, 0))
            })
        })
    }
}

impl Days {
    fn of_month(text: &str) -> Result<Self, ExpressionError> {
        let item = |item: &str| match item {
            "L" => Ok(DayOfMonth::Last),
            "LW" => Ok(DayOfMonth::LastWeekday),
            _ => match item.strip_suffix('W') {
                Some(day) => DAYS_OF_MONTH.value(day).map(DayOfMonth::NearestWeekday),
                None => DAYS_OF_MONTH.item(item).map(DayOfMonth::Numbers),
            },
        };
        text.split(',').map(item).collect::<Result<_, _>>().map(Self::OfMonth)
    }

    fn of_week(text: &str) -> Result<Self, ExpressionError> {
        if text == "L" {
            return Ok(Self::OfWeek(vec![DAYS_OF_WEEK.most]));
        }
        if let Some(day) = text.strip_suffix('L') {
            return DAYS_OF_WEEK.value(day).map(Self::LastOfWeek);
        }
        if let Some((day, nth)) = text.split_once('#') {
            let nth = nth.parse().ok().filter(|nth| (1..=5).contains(nth));
            return Ok(Self::NthOfWeek(
                DAYS_OF_WEEK.value(day)?,
                nth.ok_or_else(|| DAYS_OF_WEEK.wrong(text))?,
            ));
        }
        DAYS_OF_WEEK.list(text).map(Self::OfWeek)
    }

    /// Returns the days of a month, which is named by its first.
    fn in_month(&self, first: Date) -> Vec<Date> {
        let last = first.last_of_month();
        let all = || first.series(jiff::Span::new().days(1)).take_while(move |day| *day <= last);
        match self {
            Self::OfMonth(items) => {
                let mut days: Vec<Date> = items.iter().flat_map(|item| item.in_month(first, last)).collect();
                days.sort_unstable();
                days.dedup();
                days
            }
            Self::OfWeek(wanted) => all().filter(|day| wanted.contains(&weekday(*day))).collect(),
            Self::LastOfWeek(wanted) => {
                all().filter(|day| weekday(*day) == *wanted).last().into_iter().collect()
            }
            Self::NthOfWeek(wanted, nth) => {
                let nth = usize::try_from(nth - 1).unwrap_or_default();
                all().filter(|day| weekday(*day) == *wanted).nth(nth).into_iter().collect()
            }
        }
    }
}

impl DayOfMonth {
    fn in_month(&self, first: Date, last: Date) -> Vec<Date> {
        let day = |number: i16| Date::new(first.year(), first.month(), i8::try_from(number).ok()?).ok();
        match self {
            Self::Numbers(numbers) => numbers.iter().filter_map(|number| day(*number)).collect(),
            Self::Last => vec![last],
            Self::NearestWeekday(number) => {
                day(*number).and_then(|day| nearest_weekday(day, first, last)).into_iter().collect()
            }
            Self::LastWeekday => nearest_weekday(last, first, last).into_iter().collect(),
        }
    }
}

/// Sunday as 1.
fn weekday(day: Date) -> i16 {
    i16::from(day.weekday().to_sunday_one_offset())
}

/// Returns the weekday next to `day` that is in the same month.
fn nearest_weekday(day: Date, first: Date, last: Date) -> Option<Date> {
    match day.weekday() {
        Weekday::Saturday if day == first => first.tomorrow().ok()?.tomorrow().ok(),
        Weekday::Saturday => day.yesterday().ok(),
        Weekday::Sunday if day == last => last.yesterday().ok()?.yesterday().ok(),
        Weekday::Sunday => day.tomorrow().ok(),
        _ => Some(day),
    }
}
