//! YAML as templates use it: every value with its line, short tags (`!Ref`) as the maps that they stand for. JSON is read,
//! too, being YAML.
//!
//! A template is untrusted: depth, size and what anchors multiply are bounded.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::{Map, Number, Value};

use crate::finding::Finding;

/// Largest template. Source: CloudFormation quotas, "Template body size" from S3, read 2026-11.
const TEMPLATE_BYTES_MAX: usize = 1_048_576;
/// How deep values may stand in one another. Ours: real templates stay below 20.
const DEPTH_MAX: usize = 64;
/// How many values a template may have when every alias is replaced by what it names. Ours.
const NODES_MAX: usize = 200_000;

/// A value of a template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) line: usize,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Null,
    /// A scalar as it is written; `plain` without quotes, so that it may be a number.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    pub(crate) fn text_at(line: usize, text: impl Into<String>) -> Self {
        Self { line, kind: Kind::Scalar { text: text.into(), plain: false } }
    }

    pub(crate) fn map(&self) -> Option<&[(String, Self)]> {
        if let Kind::Map(entries) = &self.kind { Some(entries) } else { None }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.map()?.iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    pub(crate) fn list(&self) -> Option<&[Self]> {
        if let Kind::List(items) = &self.kind { Some(items) } else { None }
    }

    /// Returns a scalar as it is written.
    pub(crate) fn text(&self) -> Option<&str> {
        if let Kind::Scalar { text, .. } = &self.kind { Some(text) } else { None }
    }

    /// Returns the only entry of a map, as intrinsic functions are written.
    pub(crate) fn only_entry(&self) -> Option<(&str, &Self)> {
        match self.map()? {
            [(key, node)] => Some((key, node)),
            _ => None,
        }
    }

    /// Returns the value as JSON has it: what stands without quotes and looks like a number or a boolean is one.
    pub(crate) fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Scalar { text, plain: false } => Value::String(text.clone()),
            Kind::Scalar { text, plain: true } => match text.as_str() {
                "true" | "True" | "TRUE" => Value::Bool(true),
                "false" | "False" | "FALSE" => Value::Bool(false),
                text => serde_json::from_str::<Number>(text)
                    .map_or_else(|_| Value::String(text.to_owned()), Value::Number),
            },
            Kind::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Kind::Map(entries) => Value::Object(
                entries.iter().map(|(key, node)| (key.clone(), node.to_json())).collect::<Map<_, _>>(),
            ),
        }
    }

    /// Says what kind of value it is, for messages.
    pub(crate) fn what(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "nothing",
            Kind::Scalar { .. } => "a text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }

    fn count(&self) -> usize {
        1 + match &self.kind {
            Kind::Null | Kind::Scalar { .. } => 0,
            Kind::List(items) => items.iter().map(Self::count).sum(),
            Kind::Map(entries) => entries.iter().map(|(_, node)| node.count()).sum(),
        }
    }

    fn depth(&self) -> usize {
        1 + match &self.kind {
            Kind::Null | Kind::Scalar { .. } => 0,
            Kind::List(items) => items.iter().map(Self::depth).max().unwrap_or(0),
            Kind::Map(entries) => entries.iter().map(|(_, node)| node.depth()).max().unwrap_or(0),
        }
    }
}

/// What is being read: a list or a map that is not at its end yet.
struct Open {
    line: usize,
    anchor: usize,
    tag: Option<String>,
    is_map: bool,
    items: Vec<Node>,
    entries: Vec<(String, Node)>,
    key: Option<(usize, String)>,
}

/// Reads the one document of a template.
pub(crate) fn read(text: &str) -> Result<Node, Finding> {
    if text.len() > TEMPLATE_BYTES_MAX {
        return Err(Finding::new(1, format!("the template is larger than {TEMPLATE_BYTES_MAX} bytes")));
    }
    let mut open: Vec<Open> = Vec::new();
    let mut anchors: BTreeMap<usize, Node> = BTreeMap::new();
    let mut document: Option<Node> = None;
    let mut nodes = 0_usize;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            Finding::new(error.marker().line(), format!("this is not YAML: {}", error.info()))
        })?;
        let line = span.start.line();
        let (anchor, node) = match event {
            Event::DocumentStart(_) if document.is_some() => {
                return Err(Finding::new(line, "a second document begins here; a template is one"));
            }
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() >= DEPTH_MAX => {
                return Err(Finding::new(line, format!("more than {DEPTH_MAX} values stand in one another")));
            }
            Event::SequenceStart(anchor, tag) => {
                open.push(Open::new(line, anchor, tag.as_deref(), false));
                continue;
            }
            Event::MappingStart(anchor, tag) => {
                open.push(Open::new(line, anchor, tag.as_deref(), true));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(ended) = open.pop() else { continue };
                let kind = if ended.is_map { Kind::Map(ended.entries) } else { Kind::List(ended.items) };
                (ended.anchor, tagged(ended.tag, Node { line: ended.line, kind })?)
            }
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                let is_null = plain && tag.is_none() && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let kind = if is_null { Kind::Null } else { Kind::Scalar { text: text.into_owned(), plain } };
                (anchor, tagged(tag.as_deref().map(name_of), Node { line, kind })?)
            }
            Event::Alias(anchor) => {
                let node = anchors.get(&anchor).cloned();
                let node = node.ok_or_else(|| Finding::new(line, "this names itself"))?;
                if open.len() + node.depth() > DEPTH_MAX {
                    return Err(Finding::new(
                        line,
                        format!("more than {DEPTH_MAX} values stand in one another"),
                    ));
                }
                nodes += node.count();
                (0, node)
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => continue,
        };
        nodes += 1;
        if nodes > NODES_MAX {
            return Err(Finding::new(line, format!("the template has more than {NODES_MAX} values")));
        }
        if anchor != 0 {
            nodes += node.count();
            anchors.insert(anchor, node.clone());
        }
        match open.last_mut() {
            Some(parent) => parent.take(node)?,
            None => document = Some(node),
        }
    }
    document.ok_or_else(|| Finding::new(1, "the template is empty"))
}

impl Open {
    fn new(line: usize, anchor: usize, tag: Option<&Tag>, is_map: bool) -> Self {
        let tag = tag.map(name_of);
        Self { line, anchor, tag, is_map, items: Vec::new(), entries: Vec::new(), key: None }
    }

    fn take(&mut self, node: Node) -> Result<(), Finding> {
        if !self.is_map {
            self.items.push(node);
            return Ok(());
        }
        let Some((line, key)) = self.key.take() else {
            let key = node.text().ok_or_else(|| {
                Finding::new(node.line, format!("{} cannot be a key of a map", node.what()))
            })?;
            if key == "<<" {
                return Err(Finding::new(node.line, "`<<` is not read, as by CloudFormation"));
            }
            if self.entries.iter().any(|(known, _)| known == key) {
                return Err(Finding::new(node.line, format!("the key `{key}` is here twice")));
            }
            self.key = Some((node.line, key.to_owned()));
            return Ok(());
        };
        // Of what stands below its key, the line of the key is the one to look at.
        self.entries.push((key, Node { line, kind: node.kind }));
        Ok(())
    }
}

fn name_of(tag: &Tag) -> String {
    tag.to_string()
}

/// Turns `!Name value` into the map that it stands for.
fn tagged(tag: Option<String>, node: Node) -> Result<Node, Finding> {
    let Some(tag) = tag else { return Ok(node) };
    let line = node.line;
    if let Some(core) = tag.strip_prefix("tag:yaml.org,2002:!") {
        // `!!str 5` is a text.
        return Ok(match node.kind {
            Kind::Scalar { text, .. } if core == "str" => Node::text_at(line, text),
            kind => Node { line, kind },
        });
    }
    let name = match tag.trim_start_matches('!') {
        name @ ("Ref" | "Condition") => name.to_owned(),
        name if FUNCTIONS.contains(&name) => format!("Fn::{name}"),
        _ => return Err(Finding::new(line, format!("`{tag}` is no tag of CloudFormation"))),
    };
    Ok(Node { line, kind: Kind::Map(vec![(name, node)]) })
}

/// Tags that stand for `Fn::NAME`. Source: CloudFormation User Guide, "Intrinsic function reference", read 2026-11.
const FUNCTIONS: &[&str] = &[
    "And",
    "Base64",
    "Cidr",
    "Contains",
    "Equals",
    "FindInMap",
    "GetAtt",
    "GetAZs",
    "If",
    "ImportValue",
    "Join",
    "Length",
    "Not",
    "Or",
    "Select",
    "Split",
    "Sub",
    "ToJsonString",
    "Transform",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> String {
        read(text).map_or_else(|finding| finding.to_string(), |node| node.to_json().to_string())
    }

    #[test]
    fn tags_and_scalars_are_what_cloudformation_takes_them_for() {
        for (yaml, wanted) in [
            ("a: !Ref b", r#"{"a":{"Ref":"b"}}"#),
            ("a: !GetAtt b.Arn", r#"{"a":{"Fn::GetAtt":"b.Arn"}}"#),
            ("a: !Sub '${b}'", r#"{"a":{"Fn::Sub":"${b}"}}"#),
            ("a: !Join ['', [x, !Ref b]]", r#"{"a":{"Fn::Join":["",["x",{"Ref":"b"}]]}}"#),
            ("a: !If\n  - c\n  - 1\n  - two", r#"{"a":{"Fn::If":["c",1,"two"]}}"#),
            ("a: 1\nb: '1'\nc: 0123\nd: 2012-10-17", r#"{"a":1,"b":"1","c":"0123","d":"2012-10-17"}"#),
            ("a: true\nb: 'true'\nc: ~\nd:", r#"{"a":true,"b":"true","c":null,"d":null}"#),
            (r#"{"a": [1, {"Ref": "b"}]}"#, r#"{"a":[1,{"Ref":"b"}]}"#),
            ("a: &x {k: v}\nb: *x", r#"{"a":{"k":"v"},"b":{"k":"v"}}"#),
            ("a: !!str 5", r#"{"a":"5"}"#),
        ] {
            assert_eq!(json(yaml), wanted, "{yaml}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (yaml, wanted) in [
            ("", "line 1: the template is empty"),
            ("a: 1\na: 2", "line 2: the key `a` is here twice"),
            ("a:\n  b: !Nonsense c", "line 2: `!Nonsense` is no tag of CloudFormation"),
            ("a: 1\n---\nb: 2", "line 2: a second document begins here; a template is one"),
            ("? [a]\n: b", "line 1: a list cannot be a key of a map"),
            ("x: {k: v}\na:\n  <<: {b: c}", "line 3: `<<` is not read, as by CloudFormation"),
        ] {
            assert_eq!(json(yaml), wanted, "{yaml}");
        }
        assert!(json("a: [b").starts_with("line "), "{}", json("a: [b"));
        assert!(json("a: *nowhere").starts_with("line 1: "), "{}", json("a: *nowhere"));
    }

    #[test]
    fn a_template_that_explodes_is_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for at in 1..9 {
            let before = format!("*a{}", at - 1);
            bomb.push_str(&format!("a{at}: &a{at} [{}]\n", vec![before; 10].join(", ")));
        }
        assert!(json(&bomb).contains("more than 200000 values"), "{}", json(&bomb));
        let deep = format!("{}x{}", "[".repeat(100), "]".repeat(100));
        assert!(json(&deep).contains("stand in one another"), "{}", json(&deep));
        assert!(json(&"- ".repeat(5_000)).contains("stand in one another"));
    }
}
