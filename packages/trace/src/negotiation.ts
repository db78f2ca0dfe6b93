/** What comes before TLS on a connection, and is recognised but not followed. */
export type Negotiation = "SOCKS" | "STARTTLS"

/** RFC 1928 §3 (version, number of methods), and version 4 (CONNECT or BIND). What else begins so is taken for it, too. */
export function beginsWithSocks(bytes: Buffer): boolean {
  const [version, second] = bytes
  if (version === 5) return second === undefined || second > 0
  return version === 4 && (second === undefined || second === 1 || second === 2)
}

const REQUEST_LENGTH_MAX = 256
/** SMTP and IMAP (RFC 3207, RFC 9051 §6.2.1), POP3 (RFC 2595 §4), FTP (RFC 4217 §4), XMPP (RFC 6120 §5.4.2.1). */
const REQUEST = /^(?:\S+ )?(?:STARTTLS|STLS|AUTH TLS)\r?\n|<starttls\b/i
/** PostgreSQL: length and number of an SSLRequest. */
const SSL_REQUEST = "0000000804d2162f"

/** Whether a segment asks that TLS begins: clients wait for the answer, and so send it in a segment of its own. */
export function asksForTls(payload: Buffer): boolean {
  if (payload.length < 6 || payload.length > REQUEST_LENGTH_MAX) return false
  return payload.toString("hex") === SSL_REQUEST || REQUEST.test(payload.toString("latin1"))
}
