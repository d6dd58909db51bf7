package adaptertest

// Rules about caches.
const (
	ruleCache = "A response whose handler used the session has at least Cache-Control: private " +
		"and Vary: Cookie. A response that sets the cookie has Cache-Control: no-store."
	ruleStricter = "Stricter cache directives of the application stay, " +
		"and directives that let shared caches store the response are removed."
	ruleUnused = "A response that does not depend on the session says nothing about caches."
)

// Rules about the end of a response.
const (
	ruleLeave = "Whatever tells caches that they may keep a response is overruled when its " +
		"header leaves, if it sets the cookie or if the session was used by then, also by an " +
		"error handler, or may be used later, by a stream."
	ruleSignedIn = "With NoStoreSignedIn a response that uses a signed-in session is no-store. " +
		"With ClearSiteData the response to a logout has that field."
	ruleErrorPage = "What an error handler changes in the session is saved, or refused with a " +
		"true error."
	ruleAfterClose = "What is changed in a session when the middleware has returned is saved at " +
		"once, or refused with a true error."
	ruleOwnPage = "If the handler answers the error of its own Commit with an error status, its " +
		"answer is sent, and the session is not saved a second time."
	ruleLookup = "Lookup and FromContext report that there is no session, and the panic of Get " +
		"names them. GetFrom says if another manager is mounted."
)

// Rules about the commit.
const (
	ruleCommit = "The session is saved, and its cookie is in the header, before the first byte " +
		"of the response, whichever way the response is sent."
	rulePanic = "If the handler panics, nothing is saved and no cookie is sent."
	ruleLate  = "After the first byte, changes to a stored session are still saved. A change " +
		"that would need a cookie returns ErrLate, raises an event and stores no record."
	ruleFailed = "A failed commit replaces the response with an error, without a cookie, " +
		"without the handler's body and without the header fields that describe it."
	ruleProgram = "A change that cannot be saved results in status 500, " +
		"and the handler's body is not sent."
	ruleNothing = "If the handler writes nothing at all, its session is saved."
)

// Rules about outages.
const (
	ruleOutage = "If the session cannot be loaded, the response is 503 and the handler does not " +
		"run. The user is never taken for a visitor without a session."
	ruleLogout = "If the store fails during a logout, " +
		"the response is an error and the cookie stays."
	ruleSaved = "The session is saved even if the client disconnects."
	ruleLazy  = "A lazy session costs no store call until the handler asks for it. If it cannot " +
		"be loaded then, that is an error, and the user is not taken for a new visitor."
)

// Rules about cookies and tokens.
const (
	ruleOnce    = "A response sets each cookie at most once."
	ruleBytes   = "Set-Cookie consists of the same bytes under every framework."
	ruleTickets = "If a request has several cookies of the same name, the well-formed ones are " +
		"tried, at most four, however the framework receives them."
	ruleParser    = "A cookie counts only in the exact spelling in which it was set."
	ruleFieldName = "Cookies are read from the field Cookie, in upper or lower case, and from " +
		"no other."
	ruleMalformed = "A malformed token costs no store call and starts no session."
	ruleIgnored   = "A token anywhere except in the cookie is ignored."
	ruleAnonymous = "A visitor without a session costs no store call and gets no cookie, " +
		"not even on logout."
	ruleSecret = "The token occurs in the cookie only, and in no body, error, redirect or log."
)

// Rules about identity.
const (
	ruleLogin = "Login changes the secret and keeps the session. " +
		"The old token is invalid at once."
	ruleRenew = "Renewal changes the secret and keeps the session. " +
		"The old token is valid until the grace period ends."
	ruleDestroy = "After logout the token is invalid and the cookie is removed."
	ruleUnknown = "A token that the store does not know is never adopted."
)

// Rules about requests and goroutines.
const (
	ruleKept   = "What a session holds does not change when the framework reuses its buffers."
	ruleApart  = "Nothing of one request is visible in the next."
	ruleAfter  = "Using a session after its request does no harm."
	ruleShared = "The goroutines of one request share its session."
	ruleDead   = "A session that has ended stays ended. " +
		"An older request that is still running saves nothing and gets no cookie."
	ruleSum = "Requests that change one session at the same time lose no update."
)

// Rules about what the browser ends up with.
const (
	ruleOvertaken = "A request whose token another request of the browser has replaced " +
		"is no error. Its response has no cookie, neither a new one nor a removal."
	ruleDouble = "If a login is submitted twice, both requests succeed, " +
		"and the cookie of either opens the one session."
	ruleStepUp = "Whoever could open the session a moment ago can still sign out."
	ruleLost   = "If the answer of a renewal is lost, the old token goes on, and each response " +
		"sends the new cookie again."
	ruleSeveral = "If a request has the tokens of several sessions, that is an event, " +
		"and a logout ends all of them."
	ruleCrossSite = "If the browser has kept the cookie back because another site caused the " +
		"request, no session starts except by a login."
	ruleRevoked = "A login whose session is revoked while its request runs is refused with the " +
		"status 409, and so is any other change whose commit the handler asks for."
	ruleRevokedAll = "A login whose request arrived before its user's sessions were revoked " +
		"is refused with the status 409."
	ruleActAs = "A session in which somebody acts for a user has a cookie of its own, and ends " +
		"with theirs; the way back has one, too."
	ruleFormer = "A response that sets or removes the cookie also removes the former cookies."
	ruleOwn    = "The application's own Set-Cookie for another domain or path passes untouched; " +
		"one for the session cookie itself is replaced."
)

// Rules about mounting the middleware.
const (
	ruleMount = "A request has one session, whether the middleware is mounted on the engine, " +
		"on a group or twice."
	ruleNone = "Without the middleware, Get panics with a message that says what to mount."
	ruleTwo  = "With two managers, Get returns the session of the innermost one, " +
		"GetFrom that of the given one, and both sessions are saved."
	ruleMade = "Mounting a manager that NewManager has not made panics at the start, " +
		"with a message that says so."
	ruleSame    = "Two managers with the same cookie name in one request are a clear error."
	ruleNoRoute = "The session works for requests that match no route."
)

// Rules about guards.
const (
	ruleRequire = "Without a signed-in user, or the proof that is required, a page is " +
		"redirected to where it can be had, and told where to return to. Anything else is an " +
		"error of the framework with the status 401 or 403, which the field WWW-Authenticate " +
		"tells apart."
	ruleRequireOutage = "A session that cannot be loaded is 503, and nobody is sent to sign in."
	ruleReturn        = "Redirects after a login lead to paths of the same site only."
	ruleCircle        = "Require never redirects a page to itself."
	ruleRequireMade   = "A requirement that makes no sense panics at the start, " +
		"with a message that says what to change."
	ruleOrigin = "Requests that may change something and come from another origin are refused " +
		"with the status 403, exactly if http.CrossOriginProtection refuses them."
	ruleToken = "A request that may change something needs the token of its session, in the " +
		"header or in a form. The handler finds the body as it would without."
	ruleSignOut = "SignOut ends the session, takes the cookie back and redirects, also for who " +
		"is not signed in. Only POST does so."
)
