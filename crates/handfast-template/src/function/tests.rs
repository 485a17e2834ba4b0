use super::functions;
use crate::evaluate::{Environment, Frame, Phase};
use crate::fault::Stop;
use crate::{Parameters, Scope, Template};
use serde_json::{Value, json};

fn evaluate(expression: &str) -> Result<Value, String> {
    let template = Template::from_value(json!({ "resources": [] }), "").unwrap();
    let frame = Frame::new(template, Parameters::new(), Scope::group("s", "g"));
    let environment = Environment::new(&frame, Phase::Start);
    environment.text(&format!("[{expression}]")).map_err(|stop| match stop {
        Stop::Fault(fault) => fault.message,
        Stop::Need(need) => format!("{need:?}"),
    })
}

fn check(cases: &[(&str, Value)]) {
    for (expression, expected) in cases {
        assert_eq!(evaluate(expression).as_ref(), Ok(expected), "{expression}");
    }
}

#[test]
fn array_and_object_functions() {
    check(&[
        ("array('a')", json!(["a"])),
        ("array(createArray(1))", json!([1])),
        ("concat(createArray('abc'), createArray('def'))", json!(["abc", "def"])),
        ("concat('a', 1, true())", json!("a1True")),
        ("contains('OneTwo', 'Two')", json!(true)),
        ("contains('OneTwo', 'two')", json!(false)),
        ("contains(createObject('Key', 1), 'kEY')", json!(true)),
        ("contains(createArray(1, 2), 2)", json!(true)),
        ("distinct(createArray(1, 2, 1))", json!([1, 2])),
        ("empty(null())", json!(true)),
        ("first(createArray())", json!(null)),
        ("first('xyz')", json!("x")),
        ("last(createArray(1, 2))", json!(2)),
        ("flatten(createArray(createArray(1), createArray(2, 3)))", json!([1, 2, 3])),
        ("indexFromEnd(createArray(1, 2, 3), 1)", json!(3)),
        ("tryIndexFromEnd(createArray(1), 5)", json!(null)),
        ("indexOf('test', 'T')", json!(0)),
        ("lastIndexOf('test', 't')", json!(3)),
        ("indexOf(createArray('a', 'b'), 'B')", json!(-1)),
        ("intersection(createArray(1, 2, 3), createArray(3, 2))", json!([2, 3])),
        (
            "intersection(json('{\"a\":1,\"b\":{\"c\":2,\"d\":3}}'), json('{\"b\":{\"c\":2},\"a\":2}'))",
            json!({ "b": { "c": 2 } }),
        ),
        ("union(createArray(1, 2), createArray(2, 3))", json!([1, 2, 3])),
        (
            "union(json('{\"a\":{\"x\":1},\"l\":[1]}'), json('{\"a\":{\"y\":2},\"l\":[2]}'))",
            json!({ "a": { "x": 1, "y": 2 }, "l": [2] }),
        ),
        (
            "items(createObject('foo', 'abc', 'bar', 123))",
            json!([{ "key": "bar", "value": 123 }, { "key": "foo", "value": "abc" }]),
        ),
        ("objectKeys(createObject('b', 1, 'a', 2))", json!(["a", "b"])),
        ("join(createArray('abc', 123, true()), '/')", json!("abc/123/True")),
        ("length('é😀')", json!(3)),
        ("range(5, 3)", json!([5, 6, 7])),
        ("shallowMerge(createArray(createObject('a', 1), createObject('a', 2)))", json!({ "a": 2 })),
        ("skip(createArray(1, 2, 3), 2)", json!([3])),
        ("take('abc', 9)", json!("abc")),
        ("take(createArray(1, 2), -1)", json!([])),
        ("tryGet(createObject('a', createArray(7)), 'a', 0)", json!(7)),
        ("tryGet(createObject('a', 1), 'b', 'c')", json!(null)),
        ("tryGet(createArray(1, 2), createObject('value', 1, 'fromEnd', true()))", json!(2)),
        ("createArray(1, 2)[1]", json!(2)),
        ("createObject('Ab', createObject('c', 1)).aB['C']", json!(1)),
    ]);
}

#[test]
fn string_functions() {
    check(&[
        ("base64('one')", json!("b25l")),
        ("base64ToString('b25l')", json!("one")),
        ("base64ToJson(base64('{\"a\": 1}'))", json!({ "a": 1 })),
        ("dataUri(' Fizz ')", json!("data:text/plain;charset=utf-8;base64,IEZpenog")),
        ("dataUriToString('data:;base64,b25l')", json!("one")),
        ("endsWith('abcdef', 'EF')", json!(true)),
        ("startsWith('abcdef', 'x')", json!(false)),
        ("format('{0}/{1}/{2}/{3}', 1, 2, 3, true())", json!("1/2/3/True")),
        (
            "format('{{{0,4}|{0,-4}|{1:D3}|{1:X2}|{2:N0}}}', 'a', 10, 1234567)",
            json!("{   a|a   |010|0A|1,234,567}"),
        ),
        ("like('abcdef', 'A*c*F')", json!(true)),
        ("like('abc', 'b*')", json!(false)),
        ("padLeft(13, 5)", json!("   13")),
        ("padLeft('x', 3, '0')", json!("00x")),
        ("replace('a-b-c', '-', '')", json!("abc")),
        ("split('a,b;c', createArray(',', ';'))", json!(["a", "b", "c"])),
        ("split(',', ',')", json!(["", ""])),
        ("string(createArray('item1', 'item2'))", json!("[\"item1\",\"item2\"]")),
        ("string(createObject())", json!("{}")),
        ("string(false())", json!("False")),
        ("substring('abcdef', 2, 3)", json!("cde")),
        ("substring('abc', 3)", json!("")),
        ("toLower('ÀB')", json!("àb")),
        ("trim('  a ')", json!("a")),
        ("uri('https://github.com/another/repo', '/Azure/bicep')", json!("https://github.com/Azure/bicep")),
        ("uri('https://a.test/b/c', 'd?x=1')", json!("https://a.test/b/d?x=1")),
        ("uri('https://a.test/b/c/', '../d/')", json!("https://a.test/b/d/")),
        ("uriComponent('UB*8h 0+=_)9h9n')", json!("UB%2A8h%200%2B%3D_%299h9n")),
        ("uriComponentToString('a%20b')", json!("a b")),
        ("parseUri('https://x.test/a?b=c').host", json!("x.test")),
        ("parseUri('http://x.test:8080').port", json!(8080)),
        ("buildUri(parseUri('https://x.test/a?b=c'))", json!("https://x.test/a?b=c")),
    ]);
}

#[test]
fn hashes_are_those_of_azure() {
    check(&[
        ("guid('foo', 'bar', 'baz')", json!("2ed86837-7c7c-5eaa-9864-dd077fd19b0d")),
        ("guid('asdf')", json!("228d27cc-6fdb-5934-b7ac-1efccebade04")),
        ("uniqueString('test')", json!("rbgf3xv4ufgzg")),
        ("uniqueString('snap', 'crackle', 'pop')", json!("byghxckddilkc")),
        ("uniqueString('asd', 'asdf', 'asdf')", json!("iizpqit7ih3cc")),
        ("uniqueString('tcfvw')", json!("pzhr2k7eyku7y")),
        (
            "uniqueString('/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/myRg')",
            json!("js26ofeqkqeve"),
        ),
        (
            "uniqueString('/subscriptions/5ca082f3-38f2-4bb0-b0a4-c401184ae3a8', 'azdtest-de281c2', 'eastus2')",
            json!("uctm7tqtpzvkw"),
        ),
        ("uniqueString('')", json!("aaaaaaaaaaaaa")),
    ]);
}

#[test]
fn numbers_logic_and_comparison() {
    check(&[
        ("add(1, mul(2, 3))", json!(7)),
        ("div(-7, 2)", json!(-3)),
        ("mod(-7, 3)", json!(-1)),
        ("int('42')", json!(42)),
        ("max(createArray(1, 5, 3))", json!(5)),
        ("min(3, 2)", json!(2)),
        ("if(equals('a', 'A'), fail('no'), 'else')", json!("else")),
        ("and(true(), false(), fail('lazy'))", json!(false)),
        ("or(true(), fail('lazy'))", json!(true)),
        ("coalesce(null(), 2, fail('lazy'))", json!(2)),
        ("not(bool('TRUE'))", json!(false)),
        ("equals(createObject('a', 1), createObject('a', 1))", json!(true)),
        ("less('a', 'b')", json!(true)),
        ("greaterOrEquals(2, 2)", json!(true)),
        ("cidrSubnet('10.144.0.0/20', 24, 1)", json!("10.144.1.0/24")),
        ("cidrHost('10.144.3.0/24', 0)", json!("10.144.3.1")),
        (
            "parseCidr('10.144.0.0/20')",
            json!({ "network": "10.144.0.0", "netmask": "255.255.240.0",
            "broadcast": "10.144.15.255", "firstUsable": "10.144.0.1", "lastUsable": "10.144.15.254", "cidr": 20 }),
        ),
        ("dateTimeAdd('2023-03-31T01:00:38Z', 'P1D')", json!("2023-04-01T01:00:38Z")),
        ("dateTimeToEpoch(dateTimeFromEpoch(1700000000))", json!(1700000000)),
    ]);
}

#[test]
fn lambdas() {
    check(&[
        (
            "map(range(0, 3), lambda('i', format('Hi {0}!', lambdaVariables('i'))))",
            json!(["Hi 0!", "Hi 1!", "Hi 2!"]),
        ),
        ("filter(range(0, 5), lambda('x', 'i', less(lambdaVariables('i'), 2)))", json!([0, 1])),
        (
            "reduce(createArray('a', 'b', 'c'), '', lambda('a', 'b', format('{0}-{1}', lambdaVariables('a'), lambdaVariables('b'))))",
            json!("-a-b-c"),
        ),
        (
            "sort(createArray('c', 'd', 'a'), lambda('a', 'b', less(lambdaVariables('a'), lambdaVariables('b'))))",
            json!(["a", "c", "d"]),
        ),
        (
            "toObject(createArray('a', 'b'), lambda('x', lambdaVariables('x')), lambda('x', toUpper(lambdaVariables('x'))))",
            json!({ "a": "A", "b": "B" }),
        ),
        (
            "groupBy(createArray('a1', 'b', 'a2'), lambda('x', first(lambdaVariables('x'))))",
            json!({ "a": ["a1", "a2"], "b": ["b"] }),
        ),
        ("mapValues(createObject('a', 1), lambda('v', add(lambdaVariables('v'), 1)))", json!({ "a": 2 })),
    ]);
}

#[test]
fn ids_are_composed_at_the_scope() {
    const GROUP: &str = "/subscriptions/s/resourceGroups/g";
    check(&[
        ("resourceId('A.B/c', 'd')", json!(format!("{GROUP}/providers/A.B/c/d"))),
        (
            "resourceId('other', 'A.B/c/e', 'd', 'f')",
            json!("/subscriptions/s/resourceGroups/other/providers/A.B/c/d/e/f"),
        ),
        ("resourceId('x', 'y', 'A.B/c', 'd')", json!("/subscriptions/x/resourceGroups/y/providers/A.B/c/d")),
        ("subscriptionResourceId('A.B/c', 'd')", json!("/subscriptions/s/providers/A.B/c/d")),
        ("tenantResourceId('A.B/c', 'd')", json!("/providers/A.B/c/d")),
        (
            "extensionResourceId(resourceGroup().id, 'A.B/c', 'd')",
            json!(format!("{GROUP}/providers/A.B/c/d")),
        ),
        ("environment().suffixes.keyvaultDns", json!(".vault.azure.net")),
        ("subscription().subscriptionId", json!("s")),
    ]);
    assert!(evaluate("resourceId('A.B/c/e', 'd')").unwrap_err().contains("needs 2 names, 1 were given"));
}

#[test]
fn mistakes_are_named() {
    for (expression, message) in [
        ("range(0, 10001)", "function \"range\": the count is 10001; 0 to 10000 would be accepted"),
        ("createArray(1)[1]", "array index \"1\" is out of bounds, the array has 1 elements"),
        (
            "createObject('host', 1).hots",
            "the language expression property \"hots\" does not exist, available properties are \"host\"",
        ),
        ("div(1, 0)", "function \"div\": the result is not a 64-bit number"),
        ("add('a', 1)", "function \"add\": argument 1 must be a whole number, a string was given"),
        ("utcNow()", "\"utcNow\" may be used only in the default value of a parameter"),
        ("reference('x')", "\"reference\" may be used only in properties of resources and in outputs"),
        ("copyIndex()", "\"copyIndex\" is used outside of a loop"),
        ("toObject(createArray(1, 1), lambda('x', 'k'))", "key \"k\" comes twice"),
        ("lambda('x', 1)", "\"lambda\" may be used only as an argument of a function that takes one"),
    ] {
        assert_eq!(evaluate(expression).unwrap_err(), message, "{expression}");
    }
    let endless = format!("map(range(0, 10000), lambda('a', {}))", "map(range(0, 10000), lambda('b', 1))");
    assert!(evaluate(&endless).unwrap_err().contains("steps"));
}

#[test]
fn function_names_are_unique() {
    let mut names: Vec<String> = functions().map(|entry| entry.name.to_lowercase()).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(count >= 100, "{count}");
}
