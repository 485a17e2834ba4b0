use super::*;
use serde_json::json;

/// A host that stores what it is given, computes one property, and logs what it is asked.
#[derive(Default)]
struct Store {
    documents: HashMap<ResourceId, Value>,
    levels: Vec<Vec<String>>,
    asked: Vec<String>,
}

impl Host for Store {
    fn put(&mut self, resources: Vec<Put>) -> Vec<Result<Value, Vec<Diagnostic>>> {
        self.levels.push(resources.iter().map(|put| put.id.name().to_owned()).collect());
        let store = |put: Put| {
            if put.body["properties"]["refuse"] == true {
                return Err(vec![Diagnostic::error("Refused", "no").on(put.id.as_str())]);
            }
            let mut document = put.body.clone();
            document["id"] = put.id.as_str().into();
            document["properties"]["address"] = format!("{}.test", put.id.name()).into();
            self.documents.insert(put.id, document.clone());
            Ok(document)
        };
        resources.into_iter().map(store).collect()
    }

    fn get(&mut self, id: &ResourceId, _: &str) -> Option<Value> {
        self.asked.push(id.name().to_owned());
        self.documents.get(id).cloned()
    }

    fn secret(&mut self, reference: &VaultReference) -> Result<Secret<String>, Vec<Diagnostic>> {
        self.asked.push(format!("secret {}", reference.secret));
        match reference.secret.as_str() {
            "missing" => {
                Err(vec![Diagnostic::error("KeyVaultParameterReferenceSecretNotFound", "no such secret")])
            }
            name => Ok(Secret::from(format!("value of {name}"))),
        }
    }

    fn action(&mut self, id: &ResourceId, name: &str, _: &str, _: &Value) -> Result<Value, Vec<Diagnostic>> {
        self.asked.push(format!("{name} {}", id.name()));
        Ok(json!({ "primaryKey": format!("key of {}", id.name()) }))
    }
}

fn run(template: Value, parameters: Parameters, store: &mut Store) -> Result<Outcome, Vec<Diagnostic>> {
    let template = Template::from_value(template, "main.json")?;
    deploy(&template, parameters, Scope::group("s", "g"), store)
}

fn outputs(template: Value) -> Map<String, Value> {
    run(template, Parameters::new(), &mut Store::default()).unwrap().outputs
}

fn messages(result: Result<Outcome, Vec<Diagnostic>>) -> Vec<String> {
    let show = |d: &Diagnostic| {
        let place = d.place.as_ref().map(ToString::to_string).unwrap_or_default();
        let help = d.help.as_deref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("{place}: {}{help}", d.message)
    };
    result.err().unwrap().iter().map(show).collect()
}

fn resource(name: &str, more: Value) -> Value {
    let mut all = json!({ "type": "A.B/c", "apiVersion": "2024-01-01", "name": name });
    merge(&mut all, more);
    all
}

fn merge(all: &mut Value, more: Value) {
    for (key, value) in more.as_object().unwrap() {
        all[key] = value.clone();
    }
}

#[test]
fn resources_go_out_by_level_and_references_see_what_was_deployed() {
    let mut store = Store::default();
    let template = json!({
        "resources": [
            resource("last", json!({ "dependsOn": ["[resourceId('A.B/c', 'middle')]"] })),
            resource("middle", json!({ "properties": { "from": "[reference('first').address]" } })),
            resource("first", json!({})),
            resource("other", json!({})),
        ],
        "outputs": { "seen": { "type": "string", "value": "[reference('middle').from]" },
            "full": { "type": "string", "value": "[reference(resourceId('A.B/c','first'), '2024-01-01', 'Full').resourceGroupName]" } }
    });
    let outcome = run(template, Parameters::new(), &mut store).unwrap();
    assert_eq!(store.levels, [vec!["first", "other"], vec!["middle"], vec!["last"]]);
    assert!(store.asked.is_empty());
    assert_eq!(outcome.outputs["seen"], json!({ "type": "string", "value": "first.test" }));
    assert_eq!(outcome.outputs["full"]["value"], "g");
    assert_eq!(outcome.resources.len(), 4);
}

#[test]
fn the_plan_names_levels_and_dependencies() {
    let template = json!({ "resources": [
        resource("b", json!({ "dependsOn": ["a"] })), resource("a", json!({})),
        resource("off", json!({ "condition": false })) ] });
    let template = Template::from_value(template, "").unwrap();
    let plan = Deployment::new(&template, Parameters::new(), Scope::group("s", "g")).unwrap().plan();
    let short: Vec<_> = plan.iter().map(|p| (p.id.name(), p.level, p.depends_on.len(), p.written)).collect();
    assert_eq!(short, [("b", 1, 1, true), ("a", 0, 0, true), ("off", 0, 0, false)]);
}

#[test]
fn loops_expand_resources_variables_properties_and_outputs() {
    let mut store = Store::default();
    let template = json!({
        "variables": { "copy": [{ "name": "names", "count": 2, "input": "[format('n{0}', copyIndex('names', 1))]" }] },
        "resources": [
            resource("[concat('web', copyIndex(5))]", json!({ "copy": { "name": "webs", "count": 2 }, "properties": {
                "copy": [{ "name": "ports", "count": 2, "input": { "port": "[add(copyIndex('ports'), mul(10, copyIndex('webs')))]" } }] } })),
            resource("after", json!({ "dependsOn": ["webs"], "properties": { "names": "[variables('names')]" } })),
        ],
        "outputs": { "all": { "type": "array", "copy": { "count": 2, "input": "[reference(format('web{0}', copyIndex(5))).address]" } } }
    });
    let outcome = run(template, Parameters::new(), &mut store).unwrap();
    assert_eq!(store.levels, [vec!["web5", "web6"], vec!["after"]]);
    let id = ResourceId::parse("/subscriptions/s/resourceGroups/g/providers/A.B/c/web6").unwrap();
    assert_eq!(store.documents[&id]["properties"]["ports"], json!([{ "port": 10 }, { "port": 11 }]));
    assert_eq!(outcome.outputs["all"]["value"], json!(["web5.test", "web6.test"]));
}

#[test]
fn nested_children_compose_type_and_name() {
    let mut store = Store::default();
    let template = json!({ "resources": [resource("p", json!({ "resources": [
        { "type": "kid", "apiVersion": "1", "name": "k", "dependsOn": ["p"], "resources": [
            { "type": "A.B/c/kid/toy", "apiVersion": "1", "name": "p/k/t", "dependsOn": ["[resourceId('A.B/c/kid', 'p', 'k')]"] }] }] }))] });
    let outcome = run(template, Parameters::new(), &mut store).unwrap();
    let ids: Vec<String> = outcome
        .resources
        .iter()
        .map(|id| id.as_str().replace("/subscriptions/s/resourceGroups/g/providers/", ""))
        .collect();
    assert_eq!(ids, ["A.B/c/p", "A.B/c/p/kid/k", "A.B/c/p/kid/k/toy/t"]);
    assert!(!store.documents[&outcome.resources[0]].as_object().unwrap().contains_key("resources"));
}

#[test]
fn symbolic_names_existing_resources_and_loops_of_language_2() {
    let mut store = Store::default();
    let there = ResourceId::parse("/subscriptions/s/resourceGroups/g/providers/A.B/c/there").unwrap();
    store.documents.insert(there, json!({ "properties": { "address": "known" } }));
    let template = json!({
        "languageVersion": "2.0",
        "resources": {
            "user": resource("u", json!({ "dependsOn": ["many"], "properties": { "of": "[reference('old').address]",
                "id": "[resourceInfo('many[1]').id]" } })),
            "old": resource("there", json!({ "existing": true })),
            "many": resource("[format('m{0}', copyIndex())]", json!({ "copy": { "name": "many", "count": 2 } })),
        },
        "outputs": { "all": { "type": "array", "value": "[map(references('many'), lambda('m', lambdaVariables('m').address))]" },
            "of": { "type": "string", "value": "[reference('user').of]" } }
    });
    let outcome = run(template, Parameters::new(), &mut store).unwrap();
    assert_eq!(store.levels, [vec!["m0", "m1"], vec!["u"]]);
    assert_eq!(store.asked, ["there"]);
    assert_eq!(outcome.outputs["all"]["value"], json!(["m0.test", "m1.test"]));
    assert_eq!(outcome.outputs["of"]["value"], "known");
}

#[test]
fn list_actions_are_asked_once() {
    let mut store = Store::default();
    let template = json!({
        "resources": [resource("k", json!({})), resource("user", json!({ "properties": {
            "a": "[listSecrets(resourceId('A.B/c', 'k'), '2024-01-01').primaryKey]",
            "b": "[ListSecrets('k', '2024-01-01').primaryKey]" } }))],
    });
    run(template, Parameters::new(), &mut store).unwrap();
    assert_eq!(store.asked, ["listSecrets k"]);
    assert_eq!(store.levels, [vec!["k"], vec!["user"]]);
}

#[test]
fn nested_deployments_run_with_inner_scope() {
    let inner = |name: &str| {
        json!({ "contentVersion": "1.0.0.0",
        "parameters": { "who": { "type": "string" } },
        "resources": [resource("[parameters('who')]", json!({ "properties": { "group": "[resourceGroup().name]" } }))],
        "outputs": { "address": { "type": "string", "value": format!("[reference({name}).group]") } } })
    };
    let mut store = Store::default();
    let module = |name: &str, who: &str, group: Option<&str>| {
        let mut all = json!({ "type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": name,
            "properties": { "mode": "Incremental", "expressionEvaluationOptions": { "scope": "inner" },
                "parameters": { "who": { "value": who } }, "template": inner("parameters('who')") } });
        if let Some(group) = group {
            all["resourceGroup"] = group.into();
        }
        all
    };
    let template = json!({
        "resources": [
            module("second", "[concat('x', reference(resourceId('other', 'Microsoft.Resources/deployments', 'first')).outputs.address.value)]", None),
            module("first", "one", Some("other")),
        ],
        "outputs": { "out": { "type": "string", "value": "[reference('second').outputs.address.value]" } }
    });
    let outcome = run(template, Parameters::new(), &mut store).unwrap();
    let ids: Vec<&str> = outcome.resources.iter().map(ResourceId::as_str).collect();
    assert_eq!(
        ids,
        [
            "/subscriptions/s/resourceGroups/other/providers/A.B/c/one",
            "/subscriptions/s/resourceGroups/g/providers/A.B/c/xother"
        ]
    );
    assert_eq!(outcome.outputs["out"]["value"], "g");
}

#[test]
fn vault_references_are_resolved_for_parameters_at_every_level() {
    let vault = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v";
    let reference = |name: &str| json!({ "reference": { "keyVault": { "id": vault }, "secretName": name } });
    let template = json!({
        "parameters": { "top": { "type": "securestring" }, "name": { "type": "string" } },
        "resources": [{ "type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "d",
            "properties": { "mode": "Incremental", "expressionEvaluationOptions": { "scope": "inner" },
                "parameters": { "inner": reference("[parameters('name')]") },
                "template": { "parameters": { "inner": { "type": "securestring" } }, "resources": [],
                    "outputs": { "o": { "type": "string", "value": "[parameters('inner')]" } } } } }],
        "outputs": { "both": { "type": "string", "value": "[concat(parameters('top'), ', ', reference('d').outputs.o.value)]" } }
    });
    let given = |name: &str| {
        Parameters::from_value(&json!({ "top": reference("a"), "name": { "value": name } }), "").unwrap()
    };
    let mut store = Store::default();
    let outcome = run(template.clone(), given("b"), &mut store).unwrap();
    assert_eq!(outcome.outputs["both"]["value"], "value of a, value of b");
    assert_eq!(store.asked, ["secret a", "secret b"]);
    let failed = messages(run(template, given("missing"), &mut store));
    assert_eq!(failed, ["main.json: resources[0]: secret of parameter \"inner\": no such secret"]);
    assert!(Parameters::from_value(&json!({ "p": { "reference": { "secretName": "a" } } }), "").is_err());
}

#[test]
fn outer_scope_sees_the_names_of_the_parent() {
    let template = json!({
        "variables": { "who": "parents" },
        "resources": [{ "type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "[format('d{0}', copyIndex())]",
            "copy": { "name": "loop", "count": 2 }, "resourceGroup": "other",
            "properties": { "mode": "Incremental", "template": { "variables": { "who": "own" }, "resources": [
                resource("[concat(variables('who'), copyIndex('loop'))]", json!({ "properties": { "g": "[resourceGroup().name]" } }))] } } }]
    });
    let mut store = Store::default();
    run(template, Parameters::new(), &mut store).unwrap();
    let id = ResourceId::parse("/subscriptions/s/resourceGroups/other/providers/A.B/c/parents1").unwrap();
    assert_eq!(store.documents[&id]["properties"]["g"], "g");
}

#[test]
fn parameters_have_defaults_types_and_limits() {
    let template = json!({
        "parameters": {
            "name": { "type": "string", "minLength": 2, "allowedValues": ["aa", "bb"] },
            "count": { "type": "int", "defaultValue": "[length(parameters('name'))]", "maxValue": 5 },
            "id": { "type": "string", "defaultValue": "[newGuid()]" },
            "at": { "type": "string", "defaultValue": "[utcNow('yyyy')]" },
            "key": { "type": "secureString", "defaultValue": "hidden" },
        },
        "resources": [],
        "outputs": { "count": { "type": "int", "value": "[parameters('count')]" },
            "same": { "type": "bool", "value": "[equals(parameters('id'), parameters('id'))]" } }
    });
    let store = &mut Store::default();
    let outcome = run(template.clone(), Parameters::new().with("NAME", "aa"), store).unwrap();
    assert_eq!(
        (&outcome.outputs["count"]["value"], &outcome.outputs["same"]["value"]),
        (&json!(2), &json!(true))
    );
    let parsed = Template::from_value(template.clone(), "").unwrap();
    let shown = Deployment::new(&parsed, Parameters::new().with("name", "aa"), Scope::group("s", "g"))
        .unwrap()
        .parameters();
    assert_eq!(shown["key"], json!({ "type": "secureString" }));
    assert_eq!(shown["at"]["value"], "1970");
    for (parameters, message) in [
        (
            Parameters::new(),
            "main.json: parameters.name: the value for the template parameter \"name\" is not provided",
        ),
        (
            Parameters::new().with("name", "cc"),
            "main.json: parameters.name: \"name\" is \"cc\"; \"aa\", \"bb\" would be accepted",
        ),
        (
            Parameters::new().with("name", 1),
            "main.json: parameters.name: \"name\" is a number; a value of type \"string\" is needed",
        ),
        (
            Parameters::new().with("name", "aa").with("count", 9),
            "main.json: parameters.count: \"count\" is 9; its \"maxValue\" is 5",
        ),
        (
            Parameters::new().with("nam", "aa"),
            "parameters.nam: parameter \"nam\" is not declared by the template (did you mean \"name\"?)",
        ),
    ] {
        assert!(
            messages(run(template.clone(), parameters, store)).contains(&message.to_owned()),
            "{message}"
        );
    }
}

#[test]
fn parameter_files_are_read_in_all_their_shapes() {
    let template = Template::from_value(
        json!({ "parameters": { "a": { "type": "string" }, "n": { "type": "int" } }, "resources": [] }),
        "",
    )
    .unwrap();
    for text in [
        r#"{ "$schema": "x", "contentVersion": "1.0.0.0", "parameters": { "a": { "value": "1", "reference": null }, "n": { "value": 2 } } }"#,
        r#"{ "parameters": { "a": { "value": "1" }, "n": { "value": 2 } } }"#,
        r#"{ "a": "1", "n": 2 }"#,
    ] {
        let parameters = Parameters::parse(text, "p.json").unwrap();
        assert!(Deployment::new(&template, parameters, Scope::group("s", "g")).is_ok(), "{text}");
    }
    let mut words = Parameters::new();
    words.add_word(&template, "a=1").unwrap();
    words.add_word(&template, "n=2").unwrap();
    assert!(Deployment::new(&template, words.clone(), Scope::group("s", "g")).is_ok());
    assert!(words.add_word(&template, "x").is_err());
    let error = Parameters::parse("{ \"a\": }", "p.json").unwrap_err();
    assert_eq!(error[0].place.as_ref().unwrap().to_string(), "p.json:1:8");
}

#[test]
fn user_functions_and_typed_values() {
    let all = outputs(json!({
        "definitions": { "port": { "type": "int", "minValue": 1 } },
        "functions": [{ "namespace": "my", "members": { "twice": { "parameters": [{ "name": "x", "type": "int" }],
            "output": { "type": "int", "value": "[mul(parameters('x'), 2)]" } } } }],
        "parameters": { "p": { "$ref": "#/definitions/port", "defaultValue": 4 } },
        "resources": [],
        "outputs": { "v": { "type": "int", "value": "[my.twice(my.twice(parameters('p')))]" },
            "off": { "type": "int", "condition": "[equals(1, 2)]", "value": "[fail('never')]" },
            "none": { "type": "string", "nullable": true, "value": "[null()]" } }
    }));
    assert_eq!(
        Value::Object(all),
        json!({ "v": { "type": "int", "value": 16 }, "none": { "type": "string" } })
    );
}

#[test]
fn mistakes_are_reported_with_their_place() {
    let store = &mut Store::default();
    for (template, message) in [
        (
            json!({ "resources": [resource("[conact('a')]", json!({}))] }),
            "main.json: resources[0].name: \"conact\" is not a template function (did you mean \"concat\"?)",
        ),
        (
            json!({ "resources": [resource("[toLower()]", json!({}))] }),
            "main.json: resources[0].name: function \"toLower\" takes 1 arguments, 0 were given",
        ),
        (
            json!({ "parameters": { "name": { "type": "string" } }, "resources": [resource("[parameters('nam')]", json!({}))] }),
            "main.json: resources[0].name: the template parameter \"nam\" is not defined (did you mean \"name\"?)",
        ),
        (
            json!({ "variables": { "v": "[variables('w')]" }, "resources": [] }),
            "main.json: variables.v: the template variable \"w\" is not defined (did you mean \"v\"?)",
        ),
        (
            json!({ "resources": [resource("a", json!({ "dependsOn": ["nope"] }))] }),
            "main.json: resources[0].dependsOn: the resource \"nope\" is not defined in the template",
        ),
        (
            json!({ "resources": [resource("a", json!({ "dependsOn": ["b"] })), resource("b", json!({ "properties": { "x": "[reference('a')]" } }))] }),
            "main.json: resources[0]: circular dependency detected on resource: \"/subscriptions/s/resourceGroups/g/providers/A.B/c/a\"",
        ),
        (
            json!({ "resources": [resource("a", json!({})), resource("A", json!({}))] }),
            "main.json: resources[1]: the resource \"/subscriptions/s/resourceGroups/g/providers/A.B/c/A\" is defined multiple times in the template, also at resources[0]",
        ),
        (
            json!({ "resources": [resource("a/b", json!({}))] }),
            "main.json: resources[0]: type \"A.B/c\" needs a name of 1 segments, \"a/b\" has 2",
        ),
        (
            json!({ "resources": [resource("a", json!({ "properties": { "x": "[reference('/subscriptions/s/providers/A.B/c/none').y]" } }))] }),
            "main.json: resources[0]: the resource \"/subscriptions/s/providers/A.B/c/none\" was not found (in \"properties\")",
        ),
        (
            json!({ "variables": { "a": "[variables('b')]", "b": "[variables('a')]" }, "resources": [resource("[variables('a')]", json!({}))] }),
            "main.json: resources[0]: the value of \"variable a\" depends on itself",
        ),
        (
            json!({ "parameters": { "p": { "type": "strin" } }, "resources": [] }),
            "main.json: parameters.p.type: \"strin\" is no type; string, securestring, int, bool, object, secureObject, array would be accepted (did you mean \"string\"?)",
        ),
        (
            json!({ "resources": [{ "type": "A.B/c", "name": "x" }] }),
            "main.json: resources[0]: a resource needs \"apiVersion\", a string",
        ),
    ] {
        assert!(messages(run(template, Parameters::new(), store)).contains(&message.to_owned()), "{message}");
    }
    let error = Template::parse("{\n  \"resources\": [,]\n}", "main.json").unwrap_err();
    assert_eq!(error[0].place.as_ref().unwrap().to_string(), "main.json:2:17");
}

#[test]
fn after_a_failure_independent_resources_still_go_out() {
    let mut store = Store::default();
    let template = json!({ "resources": [
        resource("bad", json!({ "properties": { "refuse": true } })),
        resource("victim", json!({ "dependsOn": ["bad"] })),
        resource("good", json!({})), resource("better", json!({ "dependsOn": ["good"] })) ] });
    let errors = run(template, Parameters::new(), &mut store).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].code, "Refused");
    assert_eq!(store.levels, [vec!["bad", "good"], vec!["better"]]);
}

#[test]
fn conditions_drop_resources_and_dependencies_on_them() {
    let mut store = Store::default();
    let template = json!({
        "parameters": { "on": { "type": "bool", "defaultValue": false } },
        "resources": [
            resource("maybe", json!({ "condition": "[parameters('on')]" })),
            resource("user", json!({ "dependsOn": ["maybe"], "properties": {
                "x": "[if(parameters('on'), reference('maybe').address, 'none')]", "gone": "[[literal]" } })),
        ] });
    run(template, Parameters::new(), &mut store).unwrap();
    assert_eq!(store.levels, [vec!["user"]]);
    let id = ResourceId::parse("/subscriptions/s/resourceGroups/g/providers/A.B/c/user").unwrap();
    assert_eq!(store.documents[&id]["properties"]["gone"], "[literal]");
}

#[test]
fn deployments_may_cross_threads() {
    fn is_send<T: Send>() {}
    is_send::<Deployment>();
}

#[test]
fn a_template_of_the_greatest_size_is_planned_quickly() {
    // 800 resources, each naming two others: quadratic work would show as seconds here.
    let resources: Vec<Value> = (0..800)
        .map(|n| {
            let properties = json!({ "a": format!("[reference('r{}').address]", n / 2), "b": "[reference('r0').address]" });
            let more = if n == 0 { json!({}) } else { json!({ "properties": properties }) };
            resource(&format!("r{n}"), more)
        })
        .collect();
    let mut store = Store::default();
    let outcome = run(json!({ "resources": resources }), Parameters::new(), &mut store).unwrap();
    assert_eq!(outcome.resources.len(), 800);
    assert_eq!(store.levels.len(), 11);
    let many: Vec<Value> = (0..801).map(|n| resource(&format!("r{n}"), json!({}))).collect();
    let errors = messages(run(json!({ "resources": many }), Parameters::new(), &mut store));
    assert_eq!(
        errors,
        ["main.json: resources: the template has 801 resources; at most 800 would be accepted"]
    );
}
