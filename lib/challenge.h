/*
 * The header WWW-Authenticate, as far as registries use it: which ways of
 * proving oneself a server takes.
 *
 *	Bearer realm="https://auth.example/token",service="x",scope="a:b:pull"
 *	Basic realm="x"
 *
 * One header may hold several challenges, in any order, and others than these.
 *
 * Source: RFC 9110 section 11 (grammar, quoted strings); distribution's "Token
 * authentication specification" (realm, service, scope).
 */
#ifndef CIC_CHALLENGE_H
#define CIC_CHALLENGE_H

#include <stdbool.h>

#include "err.h"

struct cic_challenge {
	bool	basic;
	bool	bearer;
	/* of the first Bearer challenge; "" where it does not say */
	char	realm[1024];
	char	service[512];
	char	scope[1024];
};

/* Returns 0, also when no challenge is one we know; -1 with CIC_EIO and what is
 * wrong: not the grammar, control bytes, a name twice, Bearer without realm,
 * too long.  `text`: several headers are joined with ", ". */
int cic_challenge_parse(const char *text, struct cic_challenge *challenge,
    struct cic_err *err);

#endif
