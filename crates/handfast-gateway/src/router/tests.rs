use super::template::{Operations, Template, TemplateError};
use super::*;

fn route(path: &str, target: usize) -> ApiRoute {
    ApiRoute {
        path: path.into(),
        http: false,
        https: true,
        versioning: Arc::default(),
        version: "".into(),
        revision: "1".into(),
        current: true,
        online: true,
        target,
    }
}

fn head(target: &str, headers: &[(&str, &str)]) -> RequestHead {
    let mut head = RequestHead::default();
    head.target.assign(target);
    for (name, value) in headers {
        head.fields.append(name.as_bytes(), value.as_bytes()).expect("a field");
    }
    head
}

fn found(router: &Router, target: &str, headers: &[(&str, &str)]) -> Option<(usize, usize)> {
    let head = head(target, headers);
    router.find(head.target.path(), &head).map(|found| (found.target, found.depth))
}

#[test]
fn the_longest_path_wins_without_regard_to_case() {
    let router = Router::new(vec![route("", 0), route("a", 1), route("a/B", 2), route("ab", 3)]);
    for (target, expected) in [
        ("/", (0, 0)),
        ("/x", (0, 0)),
        ("/a", (1, 1)),
        ("/A/", (1, 1)),
        ("/a/b", (2, 2)),
        ("/a/b/c", (2, 2)),
        ("/a/bc", (1, 1)),
        ("/ab?a/b", (3, 1)),
    ] {
        assert_eq!(found(&router, target, &[]), Some(expected), "{target}");
    }
    let without_root = Router::new(vec![route("a", 1)]);
    assert_eq!(found(&without_root, "/b", &[]), None);
}

#[test]
fn an_api_answers_its_own_protocols_only() {
    let plain = ApiRoute { http: true, https: false, ..route("a/b", 1) };
    let router = Router::new(vec![route("a", 0), plain]);
    assert_eq!(found(&router, "/a/b", &[]), Some((0, 1)));
    let head = RequestHead { scheme: Scheme::Http, ..head("/a/b", &[]) };
    assert_eq!(router.find("/a/b", &head).map(|found| found.target), Some(1));
}

#[test]
fn versions_are_told_apart_by_segment_header_or_query() {
    let version = |versioning: &Versioning, version: &str, target| ApiRoute {
        versioning: versioning.clone().into(),
        version: version.into(),
        ..route("a", target)
    };
    let all = |versioning: Versioning| {
        Router::new(vec![
            version(&versioning, "", 0),
            version(&versioning, "v1", 1),
            version(&versioning, "v2", 2),
        ])
    };
    let segment = all(Versioning::Segment);
    assert_eq!(found(&segment, "/a/V2/x", &[]), Some((2, 2)));
    assert_eq!(found(&segment, "/a/v1", &[]), Some((1, 2)));
    assert_eq!(found(&segment, "/a/x", &[]), Some((0, 1)));
    let header = all(Versioning::Header("Api-Version".into()));
    assert_eq!(found(&header, "/a/x", &[("api-version", "v1")]), Some((1, 1)));
    assert_eq!(found(&header, "/a/x", &[]), Some((0, 1)));
    assert_eq!(found(&header, "/a/x", &[("api-version", "v9")]), None);
    let query = all(Versioning::Query("api-version".into()));
    assert_eq!(found(&query, "/a/x?api-version=v2", &[]), Some((2, 1)));
    assert_eq!(found(&query, "/a/x?api-version=", &[]), Some((0, 1)));
    let no_original = Router::new(vec![version(&Versioning::Segment, "v1", 1)]);
    assert_eq!(found(&no_original, "/a/x", &[]), None);
}

#[test]
fn a_revision_is_reached_by_its_suffix_when_it_is_online() {
    let revision = |number: &str, current, online, target| ApiRoute {
        revision: number.into(),
        current,
        online,
        ..route("a", target)
    };
    let router = Router::new(vec![
        revision("1", false, true, 1),
        revision("2", true, true, 2),
        revision("3", false, false, 3),
    ]);
    for (target, expected) in [
        ("/a/x", Some((2, 1))),
        ("/a;rev=1/x", Some((1, 1))),
        ("/a;rev=2", Some((2, 1))),
        ("/a;rev=3/x", None),
        ("/a;rev=9/x", None),
        ("/a/x;rev=1", Some((2, 1))),
    ] {
        assert_eq!(found(&router, target, &[]), expected, "{target}");
    }
    let versioned = ApiRoute {
        versioning: Versioning::Segment.into(),
        version: "v1".into(),
        ..revision("2", false, true, 7)
    };
    assert_eq!(found(&Router::new(vec![versioned]), "/a/v1;rev=2/x", &[]), Some((7, 2)));
}

fn operations(templates: &[&str]) -> Operations {
    let mut operations = Operations::default();
    for (index, text) in templates.iter().enumerate() {
        let (method, template) = text.split_once(' ').expect("method and template");
        assert!(operations.insert(method, Template::parse(template).expect("a template"), index), "{text}");
    }
    operations
}

#[test]
fn literals_go_before_parameters_and_those_before_wildcards() {
    let operations = operations(&[
        "GET /",
        "GET /x",
        "GET /{id}",
        "GET /{id}/parts/{part}",
        "GET /x/parts/1",
        "GET /files/{name}.{ext}",
        "GET /files/{name}",
        "GET /deep/*",
        "GET /x?fmt=xml",
        "GET /add?a={a}&b={b}",
        "POST /x",
        "GET /deep/{one}/end",
        "GET /x/",
    ]);
    for (method, rest, query, expected, parameters) in [
        ("GET", "", "", Some(0), ""),
        ("GET", "/", "", Some(0), ""),
        ("GET", "/x", "", Some(1), ""),
        ("GET", "/X", "", Some(1), ""),
        ("GET", "/x/", "", Some(12), ""),
        ("GET", "/7%2F8", "", Some(2), "id=7/8"),
        ("GET", "/7/parts/9", "", Some(3), "id=7 part=9"),
        ("GET", "/x/parts/1", "", Some(4), ""),
        ("GET", "/x/parts/2", "", Some(3), "id=x part=2"),
        ("GET", "/files/a.b.txt", "", Some(5), "name=a ext=b.txt"),
        ("GET", "/files/plain", "", Some(6), "name=plain"),
        ("GET", "/files/.txt", "", Some(6), "name=.txt"),
        ("GET", "/deep", "", Some(7), "*="),
        ("GET", "/deep/a/b", "", Some(7), "*=a/b"),
        ("GET", "/deep/a/end", "", Some(11), "one=a"),
        ("GET", "/x", "fmt=xml", Some(8), ""),
        ("GET", "/x", "fmt=json", Some(1), ""),
        ("GET", "/add", "b=2&a=1%201", Some(9), "a=1 1 b=2"),
        ("GET", "/add", "a=1", Some(2), "id=add"),
        ("POST", "/x", "", Some(10), ""),
        ("POST", "/y", "", None, ""),
        ("HEAD", "/x", "", None, ""),
        ("get", "/x", "", None, ""),
        ("GET", "/7/other", "", None, ""),
        ("GET", "//", "", None, ""),
    ] {
        let found = operations.find(method, rest, query);
        assert_eq!(found.as_ref().map(|found| found.operation), expected, "{method} {rest}?{query}");
        let text: Vec<String> = found
            .iter()
            .flat_map(|found| found.parameters.iter().map(|(name, value)| format!("{name}={value}")))
            .collect();
        assert_eq!(text.join(" "), parameters, "{method} {rest}?{query}");
    }
}

#[test]
fn templates_that_cannot_be_matched_are_refused() {
    for (text, error) in [
        ("/{a", TemplateError::Brace),
        ("/a}", TemplateError::Brace),
        ("/{}", TemplateError::Brace),
        ("/{a{b}}", TemplateError::Brace),
        ("/{a}{b}", TemplateError::Adjacent),
        ("/*/a", TemplateError::Wildcard),
        ("/a*", TemplateError::Wildcard),
    ] {
        assert_eq!(Template::parse(text), Err(error), "{text}");
    }
    let mut operations = operations(&["GET /a/{id}?x={y}"]);
    assert!(!operations.insert("GET", Template::parse("/A/{other}?X={z}").expect("a template"), 1));
    assert!(operations.insert("GET", Template::parse("/a/{id}").expect("a template"), 1));
}

/// xorshift64*: the seed in a failure's message makes the case again.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }
}

/// The rules of specification 3.4 written down as a comparison of all templates.
fn naive(templates: &[String], path: &str) -> Option<usize> {
    let segments = |text: &str| -> Vec<String> {
        let text = text.strip_prefix('/').unwrap_or(text);
        if text.is_empty() { Vec::new() } else { text.split('/').map(str::to_owned).collect() }
    };
    let path = segments(path);
    let rank = |template: &str| -> Option<Vec<u8>> {
        let template = segments(template);
        let mut rank = Vec::new();
        for (index, segment) in template.iter().enumerate() {
            if segment == "*" {
                rank.push(2);
                return Some(rank);
            }
            let value = path.get(index)?;
            match segment.starts_with('{') {
                true if value.is_empty() => return None,
                true => rank.push(1),
                false if segment == value => rank.push(0),
                false => return None,
            }
        }
        (template.len() == path.len()).then_some(rank)
    };
    let ranked = templates.iter().enumerate().filter_map(|(index, text)| Some((rank(text)?, index)));
    ranked.min().map(|(_, index)| index)
}

#[test]
fn the_trie_agrees_with_comparing_all_templates() {
    for seed in 1..=3_000u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let (mut operations, mut templates) = (Operations::default(), Vec::new());
        for _ in 0..random.below(12) + 1 {
            let mut text = String::new();
            for _ in 0..random.below(4) {
                text.push('/');
                text.push_str(random.pick(&["a", "b", "c", "{p}", "{q}"]));
            }
            if random.below(4) == 0 {
                text.push_str("/*");
            }
            if operations.insert("GET", Template::parse(&text).expect("a template"), templates.len()) {
                templates.push(text);
            }
        }
        for _ in 0..20 {
            let mut path = String::new();
            for _ in 0..random.below(5) {
                path.push('/');
                path.push_str(random.pick(&["a", "b", "c", "d", ""]));
            }
            let found = operations.find("GET", &path, "").map(|found| found.operation);
            assert_eq!(found, naive(&templates, &path), "seed {seed}: {path:?} among {templates:?}");
        }
    }
}

#[test]
fn any_bytes_make_a_template_or_an_error_and_any_path_an_answer() {
    let pieces = ["/", "{", "}", "*", "a", "{a}", ".", "?", "=", "&", "%", "%2", "%41", "é", ";rev=1", ""];
    for seed in 1..=3_000u64 {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut text = |count: usize| (0..random.below(count)).map(|_| 0).collect::<Vec<u8>>().len();
        let (template_len, path_len) = (text(9), text(12));
        let mut join = |count: usize| (0..count).map(|_| random.pick(&pieces)).collect::<String>();
        let (template, path) = (join(template_len), join(path_len));
        let mut operations = Operations::default();
        if let Ok(template) = Template::parse(&template) {
            operations.insert("GET", template, 0);
        }
        let _ = operations.find("GET", &path, &template);
        let router = Router::new(vec![route("a", 0), route("", 1)]);
        let _ = router.find(&path, &head(&path, &[]));
    }
}
