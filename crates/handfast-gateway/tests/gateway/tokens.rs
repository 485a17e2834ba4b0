//! `validate-jwt` and `validate-azure-ad-token` on the wire, with an issuer that publishes its metadata and keys
//! over TLS: keys are fetched once, again when a new one is named, and outlive an outage for a day.

use crate::world::World;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use handfast_core::Clock;
use handfast_net::tls::ClientAuth;
use handfast_net::{ConnectionInfo, Core, Hop, LocalFuture, Refusal, Request, Response, Service};
use handfast_pki::rsa::{self, Hash, Scheme};
use handfast_pki::{NewKey, PrivateKey, ca};
use serde_json::{Value, json};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the issuer publishes, and how often it was asked.
#[derive(Default)]
struct Published {
    keys: Vec<Value>,
    down: bool,
    asked: usize,
    url: String,
}

/// An issuer: `/meta` is its metadata, `/moved` leads there, `/away` leads to another host, `/keys` are its keys.
struct Issuer(Mutex<Published>);

impl Issuer {
    fn change(&self, change: impl FnOnce(&mut Published)) {
        change(&mut self.0.lock().expect("not poisoned"));
    }

    fn asked(&self) -> usize {
        self.0.lock().expect("not poisoned").asked
    }

    fn answer(&self, path: &str) -> Response {
        let mut published = self.0.lock().expect("not poisoned");
        published.asked += 1;
        let redirect = |location: &str| {
            let mut response = Response::full(302, "text/plain", "");
            response.head.fields.append(b"Location", location.as_bytes()).expect("a field");
            response
        };
        let keys = format!("{}/keys", published.url);
        match path {
            _ if published.down => Response::full(503, "text/plain", "down"),
            "/meta" => {
                let document = json!({ "issuer": "https://issuer.test/", "jwks_uri": keys });
                Response::full(200, "application/json", document.to_string())
            }
            "/t-1/v2.0/.well-known/openid-configuration" => {
                let issuer = format!("{}/t-1/v2.0", published.url);
                let document = json!({ "issuer": issuer, "jwks_uri": keys });
                Response::full(200, "application/json", document.to_string())
            }
            "/keys" => {
                let document = json!({ "keys": published.keys });
                Response::full(200, "application/json", document.to_string())
            }
            "/token" => {
                let granted = json!({ "access_token": "granted", "expires_in": 3600 });
                Response::full(200, "application/json", granted.to_string())
            }
            "/moved" => redirect("/meta"),
            "/away" => redirect("https://elsewhere.localhost/meta"),
            _ => Response::full(404, "text/plain", ""),
        }
    }
}

impl Service for Issuer {
    fn call(self: Arc<Self>, _core: Core, request: Request) -> LocalFuture<Response> {
        Box::pin(async move { self.answer(request.head.target.path()) })
    }

    fn refuse(&self, _core: &Core, _connection: &Rc<ConnectionInfo>, refusal: Refusal) -> Response {
        Response::full(refusal.status(), "text/plain", refusal.to_string()).closing()
    }

    fn fail(&self, _connection: &ConnectionInfo, status: u16) -> Response {
        Response::full(status, "text/plain", "failed")
    }
}

/// A key with its id.
struct Signer {
    id: &'static str,
    key: PrivateKey,
}

impl Signer {
    fn new(id: &'static str) -> Self {
        Self { id, key: PrivateKey::generate(NewKey::Rsa2048).expect("a key") }
    }

    fn jwk(&self) -> Value {
        let (n, e) = rsa::public_numbers(self.key.public_key()).expect("an RSA key");
        let encode = |number: Vec<u8>| URL_SAFE_NO_PAD.encode(number);
        json!({ "kty": "RSA", "use": "sig", "kid": self.id, "n": encode(n), "e": encode(e) })
    }

    fn sign(&self, claims: &Value) -> String {
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": self.id });
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let input = format!("{}.{}", encode(&header), encode(claims));
        let signature =
            rsa::sign(&self.key, input.as_bytes(), Scheme::Pkcs1, Hash::Sha256).expect("it signs");
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// A gateway whose API `a` has a policy, an issuer, and its first key.
struct Scene {
    world: World,
    issuer: Arc<Issuer>,
    url: String,
    signer: Signer,
}

impl Scene {
    /// `policy` makes the policy of the issuer's URL.
    fn start(policy: impl Fn(&str) -> String) -> Self {
        Self::in_world(World::new(Hop::Wire), |_, url| policy(url))
    }

    fn in_world(mut world: World, policy: impl FnOnce(&mut World, &str) -> String) -> Self {
        let (service, _) = world.upstream("svc.localhost", false);
        world.api("a", json!({ "serviceUrl": service, "subscriptionRequired": false }), &["GET /x"]);
        let signer = Signer::new("one");
        let issuer = Arc::new(Issuer(Mutex::default()));
        let host = world.engine.host("issuer", world.pki.server("issuer.localhost"), ClientAuth::None, false);
        let state = world.engine.state(issuer.clone(), Some(host));
        let address = world.engine.listen("issuer", state);
        let url = format!("https://issuer.localhost:{}", address.port());
        issuer.change(|published| {
            published.keys = vec![signer.jwk()];
            published.url = url.clone();
        });
        let text = policy(&mut world, &url);
        let text = format!(
            "<policies><inbound><base />{text}</inbound><backend><base /></backend><outbound><base /></outbound><on-error><base /><set-header name=\"X-Why\"><value>@(context.LastError.Reason)</value></set-header></on-error></policies>"
        );
        world.policy("apis/a", &text);
        world.serve();
        Self { world, issuer, url, signer }
    }

    fn metadata() -> Self {
        Self::start(|url| {
            format!(
                "<validate-jwt header-name=\"Authorization\"><openid-config url=\"{url}/meta\" /></validate-jwt>"
            )
        })
    }

    fn claims(&self) -> Value {
        let now = self.world.engine.clock.now().0;
        json!({ "iss": "https://issuer.test/", "sub": "u1", "exp": now + 30 * 86_400 })
    }

    /// Status and reason for a token.
    fn ask(&self, token: &str) -> (u16, String) {
        let answer = self.world.send("GET", "/a/x", &[&format!("Authorization: Bearer {token}")]);
        (answer.status(), answer.field("x-why").unwrap_or_default().to_owned())
    }

    fn later(&self, time: Duration) {
        self.world.engine.clock.advance(time);
    }
}

fn ok() -> (u16, String) {
    (200, String::new())
}

fn refused(status: u16, why: &str) -> (u16, String) {
    (status, why.to_owned())
}

#[test]
fn tokens_of_the_issuer_pass_and_its_keys_are_fetched_once() {
    let scene = Scene::metadata();
    let token = scene.signer.sign(&scene.claims());
    for _ in 0..3 {
        assert_eq!(scene.ask(&token), ok());
    }
    assert_eq!(scene.issuer.asked(), 2, "metadata and keys");
    let other = Signer { id: "one", ..Signer::new("other") };
    assert_eq!(scene.ask(&other.sign(&scene.claims())), refused(401, "TokenSignatureInvalid"));
    let mut claims = scene.claims();
    claims["iss"] = "https://other.test/".into();
    assert_eq!(scene.ask(&scene.signer.sign(&claims)), refused(401, "TokenIssuerNotAllowed"));
    assert_eq!(scene.ask("garbage"), refused(401, "JwtInvalid"));
    assert_eq!(scene.ask(""), refused(401, "TokenNotPresent"));
    // A token that was believed a moment ago is not believed any more once it has expired.
    scene.later(Duration::from_secs(31 * 86_400));
    assert_eq!(scene.ask(&token), refused(401, "TokenExpired"));
}

#[test]
fn a_new_key_is_fetched_when_a_token_names_it_but_not_all_the_time() {
    let scene = Scene::metadata();
    assert_eq!(scene.ask(&scene.signer.sign(&scene.claims())), ok());
    let new = Signer::new("two");
    scene.issuer.change(|published| published.keys.push(new.jwk()));
    let token = new.sign(&scene.claims());
    let unknown = refused(401, "TokenSignatureKeyNotFound");
    assert_eq!(scene.ask(&token), unknown, "asked a moment ago");
    scene.later(Duration::from_secs(301));
    assert_eq!(scene.ask(&token), ok());
    assert_eq!(scene.issuer.asked(), 4);
    let never = Signer::new("three");
    for _ in 0..20 {
        assert_eq!(scene.ask(&never.sign(&scene.claims())), unknown);
    }
    assert_eq!(scene.issuer.asked(), 4, "unknown keys do not make the gateway ask again and again");
}

#[test]
fn keys_outlive_an_outage_for_a_day_and_a_withdrawn_key_does_not() {
    let scene = Scene::metadata();
    let token = scene.signer.sign(&scene.claims());
    assert_eq!(scene.ask(&token), ok());
    scene.issuer.change(|published| published.down = true);
    for _ in 0..5 {
        scene.later(Duration::from_secs(4 * 3600));
        assert_eq!(scene.ask(&token), ok());
    }
    scene.later(Duration::from_secs(5 * 3600));
    assert_eq!(scene.ask(&token), refused(500, "TokenValidationConfiguration"));
    scene.issuer.change(|published| published.down = false);
    scene.later(Duration::from_secs(301));
    assert_eq!(scene.ask(&token), ok());

    let other = Signer::new("two");
    scene.issuer.change(|published| published.keys = vec![other.jwk()]);
    scene.later(Duration::from_secs(3601));
    // The next token brings the new keys, and with them the old one's end.
    let outcome = (0..1000).map(|_| scene.ask(&token)).find(|outcome| *outcome != ok());
    assert_eq!(outcome, Some(refused(401, "TokenSignatureKeyNotFound")));
    assert_eq!(scene.ask(&other.sign(&scene.claims())), ok());
}

#[test]
fn an_issuer_that_cannot_be_trusted_gives_no_keys() {
    let another_name = |url: &str| {
        let url = url.replace("issuer.localhost", "other.localhost");
        format!(
            "<validate-jwt header-name=\"Authorization\"><openid-config url=\"{url}/meta\" /></validate-jwt>"
        )
    };
    let scene = Scene::start(another_name);
    let token = scene.signer.sign(&scene.claims());
    assert_eq!(scene.ask(&token), refused(500, "TokenValidationConfiguration"));
    assert_eq!(scene.issuer.asked(), 0, "the name of its certificate is another one");
    for (path, expected) in [
        ("moved", ok()),
        ("away", refused(500, "TokenValidationConfiguration")),
        ("nothing", refused(500, "TokenValidationConfiguration")),
    ] {
        let scene = Scene::start(|url| {
            format!(
                "<validate-jwt header-name=\"Authorization\"><openid-config url=\"{url}/{path}\" /></validate-jwt>"
            )
        });
        assert_eq!(scene.ask(&scene.signer.sign(&scene.claims())), expected, "{path}");
    }
    let scene = Scene::metadata();
    scene.issuer.change(|published| published.keys = vec![json!({ "kty": "oct", "k": "c2VjcmV0" })]);
    assert_eq!(scene.ask(&scene.signer.sign(&scene.claims())), refused(500, "TokenValidationConfiguration"));
}

#[test]
fn the_first_requests_share_one_fetch() {
    let scene = Scene::metadata();
    let token = scene.signer.sign(&scene.claims());
    let mut clients: Vec<_> = (0..16).map(|_| scene.world.client(None)).collect();
    for client in &mut clients {
        client.send(crate::world::request("GET", "/a/x", &[&format!("Authorization: Bearer {token}")]));
    }
    for client in &mut clients {
        assert_eq!(client.response().status(), 200);
    }
    assert_eq!(scene.issuer.asked(), 2);
}

#[test]
fn a_tenant_is_found_below_its_authority() {
    let scene = Scene::start(|url| {
        format!(
            "<validate-azure-ad-token tenant-id=\"t-1\" authentication-endpoint=\"{url}\"><client-application-ids><application-id>app</application-id></client-application-ids></validate-azure-ad-token>"
        )
    });
    let mut claims = scene.claims();
    claims["iss"] = format!("{}/t-1/v2.0", scene.url).into();
    claims["azp"] = "app".into();
    assert_eq!(scene.ask(&scene.signer.sign(&claims)), ok());
    claims["iss"] = "https://sts.windows.net/t-1/".into();
    assert_eq!(scene.ask(&scene.signer.sign(&claims)), ok());
    claims["azp"] = "other".into();
    assert_eq!(scene.ask(&scene.signer.sign(&claims)), refused(401, "TokenClaimValueNotAllowed"));
    assert_eq!(scene.ask(&scene.signer.sign(&scene.claims())), refused(401, "TokenIssuerNotAllowed"));
}

#[test]
fn a_certificate_of_the_service_is_a_key() {
    let mut world = World::new(Hop::Wire);
    let request = ca::Request { key: NewKey::Rsa2048, ..ca::Request::client("signer") };
    let credential = world.pki.ca().issue(world.engine.clock.now(), &request).expect("a certificate");
    world.certificate("signer", &credential);
    let policy = |id: &str| {
        format!(
            "<validate-jwt header-name=\"Authorization\"><issuer-signing-keys><key certificate-id=\"{id}\" /></issuer-signing-keys></validate-jwt>"
        )
    };
    let mut scene = Scene::in_world(world, |_, _| policy("Signer"));
    let signer = Signer { id: "any", key: credential.key().clone() };
    assert_eq!(scene.ask(&signer.sign(&scene.claims())), ok());
    assert_eq!(scene.ask(&scene.signer.sign(&scene.claims())), refused(401, "TokenSignatureInvalid"));
    let document = format!(
        "<policies><inbound><base />{}</inbound><backend><base /></backend><outbound><base /></outbound><on-error><base /></on-error></policies>",
        policy("missing")
    );
    scene.world.policy("apis/a", &document);
    scene.world.compile();
    let errors = scene.world.errors().join(" ");
    assert!(errors.contains("Certificate with id 'missing' could not be found."), "{errors}");
}

/// A connection for whom an access policy of tenant `t-1` names.
fn connect(world: &mut World, issuer: &str) {
    let tags = json!({ "handfast:tokenAuthority": issuer });
    let sku = json!({ "name": "Developer", "capacity": 1 });
    world.put("", json!({ "location": "local", "sku": sku, "tags": tags }));
    let grant = json!({ "clientId": "c", "clientSecret": "s", "tokenUrl": format!("{issuer}/token") });
    let oauth2 = json!({ "grantTypes": { "clientCredentials": grant } });
    let path = "authorizationProviders/p";
    world.put(path, json!({ "properties": { "identityProvider": "oauth2", "oauth2": oauth2 } }));
    let path = format!("{path}/authorizations/c");
    world.put(&path, json!({ "properties": { "oauth2grantType": "ClientCredentials" } }));
    let named = json!({ "tenantId": "T-1", "objectId": "user-1" });
    world.put(&format!("{path}/accessPolicies/one"), json!({ "properties": named }));
}

#[test]
fn a_connection_is_for_callers_whose_tenant_says_who_they_are() {
    let scene = Scene::in_world(World::new(Hop::Wire), |world, issuer| {
        connect(world, issuer);
        "<get-authorization-context provider-id=\"p\" authorization-id=\"c\" context-variable-name=\"auth\" identity-type=\"jwt\" identity=\"@(context.Request.Headers.GetValueOrDefault(&quot;Authorization&quot;,&quot;&quot;))\" />".to_owned()
    });
    let mut claims = scene.claims();
    claims["iss"] = format!("{}/t-1/v2.0", scene.url).into();
    claims["aud"] = "https://azure-api.net/authorization-manager".into();
    claims["tid"] = "t-1".into();
    claims["oid"] = "USER-1".into();
    assert_eq!(scene.ask(&scene.signer.sign(&claims)), ok());
    assert_eq!(scene.issuer.asked(), 3, "metadata, keys and the token");
    for (name, value) in [
        ("oid", "user-2"),
        ("oid", ""),
        ("tid", "t-2"),
        ("aud", "https://azure-api.net/"),
        ("iss", "https://sts.windows.net/t-2/"),
    ] {
        let mut others = claims.clone();
        others[name] = value.into();
        let asked = scene.ask(&scene.signer.sign(&others));
        assert_eq!(asked, refused(500, "AuthorizationContextFailed"), "{name} {value}");
    }
    let forged = Signer { id: "one", ..Signer::new("other") };
    assert_eq!(scene.ask(&forged.sign(&claims)), refused(500, "AuthorizationContextFailed"));
}
