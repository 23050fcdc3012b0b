use super::*;

struct Two;

impl Queries for Two {
    type Error = ExpressionError;

    fn query(&mut self, id: &str) -> Result<Values, ExpressionError> {
        match id {
            "errors" => Ok(Values::from([(60, 1.0), (120, 2.0)])),
            "calls" => Ok(Values::from([(60, 4.0), (120, 0.0), (180, 5.0)])),
            _ => Err(wrong("no such id")),
        }
    }

    fn metrics(&mut self) -> Result<Vec<Values>, ExpressionError> {
        Ok(vec![self.query("errors")?, self.query("calls")?])
    }

    fn periods(&self) -> Vec<i64> {
        vec![60, 120, 180]
    }
}

fn evaluated(text: &str) -> Evaluated {
    Expression::parse(text)
        .and_then(|expression| expression.evaluate(&mut Two))
        .unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

#[test]
fn arithmetic_is_done_period_by_period_and_divides_by_nothing_nowhere() {
    let series = |pairs: &[(i64, f64)]| Evaluated::Series(pairs.iter().copied().collect());
    for (text, expected) in [
        ("100 * errors / calls", series(&[(60, 25.0)])),
        ("100*(errors/calls)", series(&[(60, 25.0)])),
        ("errors - -1", series(&[(60, 2.0), (120, 3.0)])),
        ("1 - errors", series(&[(60, 0.0), (120, -1.0)])),
        ("1 - errors * 2 - 1", series(&[(60, -2.0), (120, -4.0)])),
        ("SUM([errors, calls])", series(&[(60, 5.0), (120, 2.0), (180, 5.0)])),
        ("SUM(METRICS())", series(&[(60, 5.0), (120, 2.0), (180, 5.0)])),
        ("AVG(METRICS())", series(&[(60, 2.5), (120, 1.0), (180, 5.0)])),
        ("MAX([errors,calls]) - MIN([errors,calls])", series(&[(60, 3.0), (120, 2.0), (180, 0.0)])),
        ("FILL(errors, 0)", series(&[(60, 1.0), (120, 2.0), (180, 0.0)])),
        ("errors / SUM(errors)", series(&[(60, 1.0 / 3.0), (120, 2.0 / 3.0)])),
        ("AVG(calls)", Evaluated::Number(3.0)),
    ] {
        assert_eq!(evaluated(text), expected, "{text}");
    }
}

#[test]
fn what_cloudwatch_has_and_hearth_has_not_is_refused_by_name() {
    for text in [
        "SEARCH('{AWS/Lambda,FunctionName} Errors', 'Sum')",
        "RATE(errors)",
        "SELECT AVG(Duration) FROM SCHEMA(\"AWS/Lambda\")",
        "errors > 5",
        "FILL(errors, REPEAT)",
        "METRICS(\"e\")",
    ] {
        assert!(matches!(Expression::parse(text), Err(ExpressionError::NotImplemented(_))), "{text}");
    }
}

#[test]
fn what_is_no_expression_is_refused() {
    let deep = format!("{}1{}", "(".repeat(1_000), ")".repeat(1_000));
    for text in
        ["", "errors +", "(errors", "NOPE(errors)", "errors calls", "1.2.3", "SUM()", "[errors", "é", &deep]
    {
        assert!(matches!(Expression::parse(text), Err(ExpressionError::Wrong(_))), "{text}");
    }
    let long = "-".repeat(100_000) + "1";
    assert!(Expression::parse(&long).is_ok());
}
