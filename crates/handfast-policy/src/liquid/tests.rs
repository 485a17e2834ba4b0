//! Templates and what they give.

use super::{Budget, Inputs, LiquidError, RenderError, Template};
use serde_json::json;

fn inputs() -> Inputs {
    Inputs {
        body: json!({ "name": "Ada", "Tags": ["a", "b", "c"], "price": 12.5, "count": 3, "none": null,
            "items": [ { "id": 2, "on": true }, { "id": 1, "on": false } ],
            "envelope": { "body": { "GetOpenOrders": { "cust": "42" } } }, "text": "It's <b>bold</b> & new" }),
        context: json!({ "Variables": { "from": "here", "n": 7 }, "Request": { "OriginalUrl": { "Path": "/p" } } }),
    }
}

fn render(template: &str) -> Result<String, String> {
    let template =
        Template::parse(template).map_err(|error| format!("{}: {}", error.offset, error.message))?;
    template.render(&inputs(), Budget::default()).map_err(|error| error.to_string())
}

#[test]
fn templates_render() {
    for (template, expected) in [
        ("plain", "plain"),
        ("{{body.name}}, {{ body.count }}, {{body.price}}, {{body.none}}.", "Ada, 3, 12.5, ."),
        (
            "{{context.Variables[\"from\"]}} {{context.Variables['n']}} {{context.Request.OriginalUrl.Path}}",
            "here 7 /p",
        ),
        ("{{body.envelope.Body.GetOpenOrders.cust}}", "42"),
        ("{{body.Tags[0]}}{{body.Tags[-1]}}{{body.Tags.size}}{{body.Tags.first}}{{body.Tags[9]}}", "ac3a"),
        ("{{ body.missing.deep[1] }}", ""),
        ("a {{- ' b ' -}} c", "a b c"),
        ("{% if body.count > 2 and body.name == 'Ada' %}yes{% else %}no{% endif %}", "yes"),
        ("{% if body.none %}1{% elsif body.items.size == 2 %}2{% endif %}", "2"),
        ("{% if body.missing == empty or body.name contains 'x' %}e{% endif %}", "e"),
        (
            "{% if body.Tags contains \"b\" %}b{%endif%}{% unless body.count == 3 %}u{% else %}three{% endunless %}",
            "bthree",
        ),
        ("{% if body.name startswith 'A' and body.name endswith 'a' %}both{% endif %}", "both"),
        ("{% case body.count %}{% when 1, 2 %}few{% when 3 or 4 %}some{% else %}many{% endcase %}", "some"),
        (
            "{% for t in body.Tags %}{{forloop.index}}{{t}}{% unless forloop.last %},{% endunless %}{% endfor %}",
            "1a,2b,3c",
        ),
        ("{% for t in body.Tags reversed limit:2 offset:1 %}{{t}}{% endfor %}", "cb"),
        ("{% for i in (1..4) %}{% if i == 3 %}{% continue %}{% endif %}{{i}}{% endfor %}", "124"),
        ("{% for i in (1..9) %}{% if i == 3 %}{% break %}{% endif %}{{i}}{% endfor %}", "12"),
        ("{% for x in body.missing %}x{% else %}none{% endfor %}", "none"),
        ("{% for p in body.envelope.body.GetOpenOrders %}{{p[0]}}={{p[1]}}{% endfor %}", "cust=42"),
        (
            "[{% JSONArrayFor i in body.items %}{\"id\":{{i.id}}}{% endJSONArrayFor %}]",
            "[{\"id\":2},{\"id\":1}]",
        ),
        ("{% assign x = body.name | Append: '!' | Upcase %}{{x}}", "ADA!"),
        ("{% capture c %}<{{body.name}}>{% endcapture %}{{c}}{{c | escape}}", "<Ada>&lt;Ada&gt;"),
        (
            "{% comment %}{{ nothing | here }}{% endcomment %}{% raw %}{{x}}{% if %}{% endraw %}|",
            "{{x}}{% if %}|",
        ),
        (
            "{% cycle 'a','b' %}{% cycle 'a','b' %}{% cycle 'a','b' %}{% increment n %}{% increment n %}{% decrement m %}",
            "aba01-1",
        ),
        (
            "{{ 'a-b-c' | Replace: '-', '_' }}{{ 'a-b' | replace_first: '-' }}{{ 'aXbX' | Remove: 'X' }}",
            "a_b_cabab",
        ),
        (
            "{{ 7 | DividedBy: 2 }} {{ 7.0 | DividedBy: 2 }} {{ 7 | Modulo: 4 }} {{ '3' | Plus: 4 }} {{ 1.256 | Round: 2 }}",
            "3 3.5 3 7 1.26",
        ),
        (
            "{{ 'hello world' | Capitalize }}|{{ ' x ' | Strip }}|{{ 'abc' | Slice: 1, 2 }}|{{ 'abc' | Size }}",
            "Hello World|x|bc|3",
        ),
        (
            "{{ 'a,b,,c' | Split: ',' | Join: '+' }}{{ body.items | Sort: 'id' | Map: 'id' | Join: '' }}",
            "a+b+c12",
        ),
        ("{{ body.none | Default: 'd' }}{{ body.text | StripHtml }}", "dIt's bold & new"),
        (
            "{{ 'one two three' | Truncate: 9 }}|{{ 'one two three' | TruncateWords: 2 }}",
            "one tw...|one two...",
        ),
        ("{{ 'a b&c' | UrlEncode }}{{ 'a+b%26' | UrlDecode }}", "a+b%26ca b&"),
        ("{{ -5 | Abs }}{{ 5 | AtMost: 3 }}{{ 1 | AtLeast: 3 }}{{ 1234.5 | Currency }}", "533\u{a4}1,234.50"),
        ("it's {{ body.name }} isn't it", "it's Ada isn't it"),
    ] {
        assert_eq!(render(template).as_deref(), Ok(expected), "{template}");
    }
}

#[test]
fn what_is_no_template_is_told_with_its_place() {
    for (template, offset, message) in [
        ("ab {{ x ", 3, "\"}}\" is missing"),
        ("{% if x %}", 2, "\"endif\" is missing"),
        ("{% endif %}", 8, "\"endif\" closes nothing that is open"),
        ("{% include 'x' %}", 10, "unknown tag \"include\""),
        ("{{ x | Nope }}", 11, "unknown filter \"Nope\""),
        ("{{ x | Append }}", 14, "filter \"Append\" has 0 arguments; 1 to 1 are accepted"),
        ("{% for x of y %}{% endfor %}", 9, "\"in\" is expected"),
        ("{{ 'x }}", 3, "the string has no end"),
        ("{% if a = b %}{% endif %}", 8, "a comparison such as \"==\" or \"contains\" is expected"),
        ("{% raw %}x", 9, "\"endraw\" is missing"),
    ] {
        let expected = LiquidError { offset, message: message.to_owned() };
        assert_eq!(Template::parse(template).map(|_| ()), Err(expected), "{template}");
    }
    let deep = "{% if a %}".repeat(100) + &"{% endif %}".repeat(100);
    assert!(Template::parse(&deep).is_err_and(|error| error.message.contains("too deeply")));
    let deep = format!("{{{{ {}x{} }}}}", "a[".repeat(100), "]".repeat(100));
    assert!(Template::parse(&deep).is_err_and(|error| error.message.contains("too deeply")));
}

#[test]
fn loops_and_texts_end_at_their_limits() {
    let steps = "{% for i in (1..5000) %}{% for j in (1..5000) %}{% endfor %}{% endfor %}";
    for (template, limit) in [
        (steps, "steps"),
        ("{% for i in (1..99999999999) %}{% endfor %}", "steps"),
        (
            "{% assign x = '0123456789' %}{% for i in (1..30) %}{% assign x = x | Append: x %}{% endfor %}{{x}}",
            "4194304",
        ),
        (
            "{% for i in (1..200000) %}{{ '0123456789012345678901234567890123456789012345678901234567890' }}{% endfor %}",
            "bytes",
        ),
    ] {
        let error = render(template).expect_err(template);
        assert!(error.contains(limit), "{template}: {error}");
    }
    let template = Template::parse("{{ 1 | DividedBy: 0 }}").expect("a template");
    let error = RenderError::Filter("divided by zero".to_owned());
    assert_eq!(template.render(&inputs(), Budget::default()), Err(error));
}

#[test]
fn a_template_knows_what_it_reads() {
    let uses = |template: &str| {
        let template = Template::parse(template).expect("a template");
        (template.uses_body(), template.uses_context())
    };
    assert_eq!(uses("x"), (false, false));
    assert_eq!(
        uses("{% for i in body.items %}{{ i | Append: context.RequestId }}{% endfor %}"),
        (true, true)
    );
    assert_eq!(uses("{{ x[body.key] }}"), (true, false));
}
