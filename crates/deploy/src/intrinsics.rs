//! CloudFormation's intrinsic functions: from a value as it is written to the value that is meant.

use std::cell::RefCell;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::finding::Finding;
use crate::resources;
use crate::template::Surroundings;
use crate::yaml::{Kind, Node};

/// What a template's values can name.
pub(crate) struct Scope<'template> {
    pub(crate) surroundings: &'template Surroundings,
    pub(crate) parameters: BTreeMap<String, Node>,
    pub(crate) mappings: Option<&'template Node>,
    pub(crate) conditions: Option<&'template Node>,
    pub(crate) resources: &'template [(String, Node)],
    /// `Globals`, for the names that resources take from it.
    pub(crate) globals: Option<&'template Node>,
    /// What is being resolved just now, so that nothing goes round in circles.
    busy: RefCell<Vec<String>>,
}

impl<'template> Scope<'template> {
    pub(crate) fn new(
        surroundings: &'template Surroundings,
        template: &'template Node,
        resources: &'template [(String, Node)],
        parameters: BTreeMap<String, Node>,
    ) -> Self {
        Self {
            surroundings,
            parameters,
            mappings: template.get("Mappings"),
            conditions: template.get("Conditions"),
            resources,
            globals: template.get("Globals"),
            busy: RefCell::new(Vec::new()),
        }
    }

    pub(crate) fn resource(&self, logical_id: &str) -> Option<&'template Node> {
        self.resources.iter().find(|(name, _)| name == logical_id).map(|(_, node)| node)
    }

    /// Does something for `name`, which must not be asked for again meanwhile.
    pub(crate) fn once<T>(
        &self,
        name: &str,
        line: usize,
        work: impl FnOnce() -> Result<T, Finding>,
    ) -> Result<T, Finding> {
        if self.busy.borrow().iter().any(|busy| busy == name) {
            let mut circle = self.busy.borrow().join("` -> `");
            circle.push_str("` -> `");
            circle.push_str(name);
            return Err(Finding::new(line, format!("`{circle}` goes round in a circle")));
        }
        self.busy.borrow_mut().push(name.to_owned());
        let done = work();
        self.busy.borrow_mut().pop();
        done
    }

    /// Resolves a value; `None` is `AWS::NoValue`.
    pub(crate) fn resolve(&self, node: &Node) -> Result<Option<Node>, Finding> {
        let line = node.line;
        match &node.kind {
            Kind::Null => Ok(Some(node.clone())),
            Kind::Scalar { text, .. } if text.contains("{{resolve:") => Err(Finding::new(
                line,
                "dynamic references (`{{resolve:…}}`) need services that Hearth is not",
            )),
            Kind::Scalar { .. } => Ok(Some(node.clone())),
            Kind::List(items) => {
                let mut list = Vec::new();
                for item in items {
                    list.extend(self.resolve(item)?);
                }
                Ok(Some(Node { line, kind: Kind::List(list) }))
            }
            Kind::Map(entries) => {
                if let [(key, argument)] = entries.as_slice()
                    && (key == "Ref" || key.starts_with("Fn::"))
                {
                    return self.function(key, argument);
                }
                let mut map = Vec::new();
                for (key, value) in entries {
                    if let Some(value) = self.resolve(value)? {
                        map.push((key.clone(), value));
                    }
                }
                Ok(Some(Node { line, kind: Kind::Map(map) }))
            }
        }
    }

    /// Resolves a value that has to be a text.
    pub(crate) fn text(&self, node: &Node) -> Result<String, Finding> {
        let resolved = self.resolve(node)?;
        match resolved.as_ref().map(|node| &node.kind) {
            Some(Kind::Scalar { text, .. }) => Ok(text.clone()),
            _ => Err(Finding::new(
                node.line,
                format!("expected a text, not {}", resolved.map_or("nothing", |node| node.what())),
            )),
        }
    }

    fn list(&self, node: &Node) -> Result<Vec<Node>, Finding> {
        let resolved = self.resolve(node)?;
        match resolved.map(|node| node.kind) {
            Some(Kind::List(items)) => Ok(items),
            _ => Err(Finding::new(node.line, "expected a list")),
        }
    }

    fn function(&self, name: &str, argument: &Node) -> Result<Option<Node>, Finding> {
        let line = argument.line;
        let text = |text: String| Ok(Some(Node::text_at(line, text)));
        match name {
            "Ref" => match argument.text() {
                Some("AWS::NoValue") => Ok(None),
                Some(target) => self.reference(target, line).map(Some),
                None => Err(Finding::new(line, "`Ref` takes the name of a parameter or a resource")),
            },
            "Fn::GetAtt" => text(self.attribute(argument)?),
            "Fn::Sub" => text(self.sub(argument)?),
            "Fn::Join" => {
                let [delimiter, items] = arguments(argument, name, "a delimiter and a list")?;
                let delimiter = self.text(delimiter)?;
                let items: Result<Vec<String>, Finding> =
                    self.list(items)?.iter().map(|item| self.text(item)).collect();
                text(items?.join(&delimiter))
            }
            "Fn::Split" => {
                let [delimiter, whole] = arguments(argument, name, "a delimiter and a text")?;
                let delimiter = self.text(delimiter)?;
                if delimiter.is_empty() {
                    return Err(Finding::new(line, "the delimiter of `Fn::Split` is empty"));
                }
                let whole = self.text(whole)?;
                let parts = whole.split(&delimiter).map(|part| Node::text_at(line, part)).collect();
                Ok(Some(Node { line, kind: Kind::List(parts) }))
            }
            "Fn::Select" => {
                let [index, items] = arguments(argument, name, "an index and a list")?;
                let (index_text, items) = (self.text(index)?, self.list(items)?);
                let item = index_text.parse::<usize>().ok().and_then(|index| items.get(index));
                item.cloned().map(Some).ok_or_else(|| {
                    let length = items.len();
                    Finding::new(line, format!("`Fn::Select` of `{index_text}` from a list of {length}"))
                })
            }
            "Fn::FindInMap" => self.find_in_map(argument).map(Some),
            "Fn::If" => {
                let [condition, then, otherwise] = arguments(argument, name, "a condition and two values")?;
                let Some(condition_name) = condition.text() else {
                    return Err(Finding::new(condition.line, "`Fn::If` takes the name of a condition"));
                };
                let chosen = if self.condition(condition_name, condition.line)? { then } else { otherwise };
                self.resolve(chosen)
            }
            "Fn::Base64" => text(STANDARD.encode(self.text(argument)?)),
            "Fn::Equals" | "Fn::And" | "Fn::Or" | "Fn::Not" => {
                Err(Finding::new(line, format!("`{name}` stands only in `Conditions`")))
            }
            other => Err(Finding::new(line, format!("`{other}` is not built"))),
        }
    }

    /// `Ref`, or `${Name}` in a text.
    fn reference(&self, target: &str, line: usize) -> Result<Node, Finding> {
        let surroundings = self.surroundings;
        let text = match target {
            "AWS::Region" => surroundings.region.clone(),
            "AWS::AccountId" => surroundings.account.clone(),
            "AWS::StackName" => surroundings.stack_name.clone(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            "AWS::StackId" => format!(
                "arn:aws:cloudformation:{}:{}:stack/{}",
                surroundings.region, surroundings.account, surroundings.stack_name
            ),
            "AWS::NotificationARNs" => return Ok(Node { line, kind: Kind::List(Vec::new()) }),
            target => match self.parameters.get(target) {
                Some(value) => return Ok(Node { line, kind: value.kind.clone() }),
                None => resources::reference(self, target, None, line)?,
            },
        };
        Ok(Node::text_at(line, text))
    }

    fn attribute(&self, argument: &Node) -> Result<String, Finding> {
        let line = argument.line;
        let (target, attribute) = match (&argument.kind, argument.text()) {
            (_, Some(both)) => match both.split_once('.') {
                Some((target, attribute)) => (target.to_owned(), attribute.to_owned()),
                None => return Err(Finding::new(line, "`Fn::GetAtt` takes a resource and its attribute")),
            },
            (Kind::List(items), _) if items.len() == 2 => {
                let target = items[0].text().unwrap_or_default().to_owned();
                (target, self.text(&items[1])?)
            }
            _ => return Err(Finding::new(line, "`Fn::GetAtt` takes a resource and its attribute")),
        };
        resources::reference(self, &target, Some(&attribute), line)
    }

    fn sub(&self, argument: &Node) -> Result<String, Finding> {
        let line = argument.line;
        let wrong = || Finding::new(line, "`Fn::Sub` takes a text, or a text and a map of variables");
        let (text, variables) = match &argument.kind {
            Kind::Scalar { text, .. } => (text.as_str(), None),
            Kind::List(items) if items.len() == 2 => {
                let text = items[0].text().ok_or_else(wrong)?;
                (text, Some(items[1].map().ok_or_else(wrong)?))
            }
            _ => return Err(wrong()),
        };
        let mut done = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            done.push_str(&rest[..at]);
            let Some(end) = rest[at..].find('}') else {
                return Err(Finding::new(line, "`${` without `}` in `Fn::Sub`"));
            };
            let name = rest[at + 2..at + end].trim();
            rest = &rest[at + end + 1..];
            if let Some(literal) = name.strip_prefix('!') {
                done.push_str("${");
                done.push_str(literal);
                done.push('}');
                continue;
            }
            let variable = variables.and_then(|variables| variables.iter().find(|(known, _)| known == name));
            if let Some((_, value)) = variable {
                done.push_str(&self.text(value)?);
                continue;
            }
            match name.split_once('.') {
                Some((target, attribute)) => {
                    done.push_str(&resources::reference(self, target, Some(attribute), line)?);
                }
                None => match self.reference(name, line)?.kind {
                    Kind::Scalar { text, .. } => done.push_str(&text),
                    _ => return Err(Finding::new(line, format!("`${{{name}}}` is a list, not a text"))),
                },
            }
        }
        done.push_str(rest);
        Ok(done)
    }

    fn find_in_map(&self, argument: &Node) -> Result<Node, Finding> {
        let [map, first, second] = arguments(argument, "Fn::FindInMap", "a map and two keys")?;
        let keys = [self.text(map)?, self.text(first)?, self.text(second)?];
        let mut node = self.mappings;
        for key in &keys {
            node = node.and_then(|node| node.get(key));
        }
        node.cloned().ok_or_else(|| {
            Finding::new(argument.line, format!("there is no `{}` in `Mappings`", keys.join(".")))
        })
    }

    /// Whether a condition of the template holds.
    pub(crate) fn condition(&self, name: &str, line: usize) -> Result<bool, Finding> {
        let node = self.conditions.and_then(|conditions| conditions.get(name));
        let node = node.ok_or_else(|| Finding::new(line, format!("there is no condition `{name}`")))?;
        self.once(&format!("condition {name}"), line, || self.holds(node))
    }

    fn holds(&self, node: &Node) -> Result<bool, Finding> {
        let line = node.line;
        let wrong =
            || Finding::new(line, "expected `Fn::Equals`, `Fn::And`, `Fn::Or`, `Fn::Not` or `Condition`");
        let (name, argument) = node.only_entry().ok_or_else(wrong)?;
        match name {
            "Condition" => self.condition(argument.text().ok_or_else(wrong)?, line),
            "Fn::Equals" => {
                let [left, right] = arguments(argument, name, "two values")?;
                let plain = |node: Option<Node>| node.map(|node| comparable(&node));
                Ok(plain(self.resolve(left)?) == plain(self.resolve(right)?))
            }
            "Fn::Not" => {
                let [inner] = arguments(argument, name, "one condition")?;
                Ok(!self.holds(inner)?)
            }
            "Fn::And" | "Fn::Or" => {
                let inner = argument.list().filter(|inner| (2..=10).contains(&inner.len()));
                let inner =
                    inner.ok_or_else(|| Finding::new(line, format!("`{name}` takes 2 to 10 conditions")))?;
                // All of them, so that a mistake is found whatever the others say.
                let inner: Vec<bool> =
                    inner.iter().map(|inner| self.holds(inner)).collect::<Result<_, _>>()?;
                Ok(if name == "Fn::And" { inner.iter().all(|&holds| holds) } else { inner.contains(&true) })
            }
            _ => Err(wrong()),
        }
    }
}

/// Values as conditions compare them: texts, however they were quoted.
fn comparable(node: &Node) -> String {
    node.text().map_or_else(|| node.to_json().to_string(), str::to_owned)
}

fn arguments<'node, const N: usize>(
    node: &'node Node,
    name: &str,
    wanted: &str,
) -> Result<[&'node Node; N], Finding> {
    let items: Option<Vec<&Node>> = node.list().map(|items| items.iter().collect());
    items
        .and_then(|items| items.try_into().ok())
        .ok_or_else(|| Finding::new(node.line, format!("`{name}` takes a list of {wanted}")))
}
