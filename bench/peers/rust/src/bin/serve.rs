// axum on rustls. Settings are variables of the environment; bench/suites/peers.py sets them.
use std::{collections::HashMap, env, fs, sync::Arc};

use axum::extract::State;
use axum::http::{header::AUTHORIZATION, HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use axum_server::tls_rustls::RustlsConfig;
use jsonwebtoken::{decode, decode_header, jwk::JwkSet, Algorithm, DecodingKey, Validation};
use serde::Deserialize;

struct Peer {
    keys: HashMap<String, DecodingKey>,
    validation: Validation,
    password_hash: String,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
}

#[derive(Deserialize)]
struct Login {
    password: String,
}

fn setting(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

impl Peer {
    fn new() -> Peer {
        let set: JwkSet = serde_json::from_slice(&fs::read(setting("JWKS")).unwrap()).unwrap();
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_issuer(&[setting("ISSUER")]);
        validation.set_audience(&[setting("AUDIENCE")]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        let with_id = |key| DecodingKey::from_jwk(key).unwrap();
        Peer {
            keys: set.keys.iter().map(|key| (key.common.key_id.clone().unwrap(), with_id(key))).collect(),
            validation,
            password_hash: setting("PASSWORD_HASH"),
        }
    }

    fn user_of(&self, headers: &HeaderMap) -> Option<String> {
        let token = headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
        let key = self.keys.get(&decode_header(token).ok()?.kid?)?;
        Some(decode::<Claims>(token, key, &self.validation).ok()?.claims.sub)
    }
}

async fn verify(State(peer): State<Arc<Peer>>, headers: HeaderMap) -> Response {
    match peer.user_of(&headers) {
        Some(user) => [("x-auth-user", user)].into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn login(State(peer): State<Arc<Peer>>, Json(login): Json<Login>) -> StatusCode {
    let check = tokio::task::spawn_blocking(move || bcrypt::verify(login.password, &peer.password_hash));
    match check.await {
        Ok(Ok(true)) => StatusCode::OK,
        _ => StatusCode::UNAUTHORIZED,
    }
}

#[tokio::main]
async fn main() {
    let tls = RustlsConfig::from_pem_file(setting("TLS_CERT"), setting("TLS_KEY")).await.unwrap();
    let routes = Router::new()
        .route("/verify", get(verify))
        .route("/login", post(login))
        .with_state(Arc::new(Peer::new()));
    let address = format!("127.0.0.1:{}", setting("PORT")).parse::<std::net::SocketAddr>().unwrap();
    axum_server::bind_rustls(address, tls).serve(routes.into_make_service()).await.unwrap();
}
