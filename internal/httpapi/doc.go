// Package httpapi presents a [service.Service] as JSON over HTTP, and reaches one that
// somebody else presents ([Client]).
//
// The API lies below /api/v1/; beside it, at the root, are healthz, readyz, metrics and
// openapi.json, which describes everything else (OpenAPI 3.1). A console may be mounted
// beside it and shares everything that a request passes on its way:
//
//  1. Host must be one of the server's names: 421 else. A page of another site that
//     makes its name point here, or a name that looks alike, gets no further.
//  2. A credential in a URL is refused, whether it counts or not: 400.
//  3. A browser's request from another origin that would change something is refused.
//  4. Who asks without a credential, or with one that does not count, is limited by
//     his address; everybody else by his credential: 429.
//  5. The route's row in the table says which scope it takes: 401, 403; a route without
//     a row does not exist.
//  6. Bodies, headers and times are bounded.
//
// Documents are those of the commands with --json. Errors are problem+json (RFC 9457)
// with two more members, the code that the command would exit with and the next step:
//
//	{
//	  "title": "Conflict",
//	  "status": 409,
//	  "detail": "it is executed already, by record 41: sha256:…",
//	  "code": 6,
//	  "hint": "rollproof release rings shows what is where"
//	}
//
// Refused and anonymous requests go to an access log, whose size is bounded, and never
// to the evidence log; what credentials have read is counted by day beside it.
//
// Nothing that a caller sends makes the server open a connection: no field is a URL that
// is fetched. The one address that it asks, the OIDC issuer, stands in its configuration.
package httpapi
