// Package logs reads the logs of what stands between capture points and ties their records to conversations.
//
// It takes log text, line by line, plain or compressed, and the conversations' addresses at every point (Ends, Tie). It gives
// the records that speak of these conversations, with the log's own clock related to the captures' (offset and zone are
// estimated from records that match exactly). Lines that can't be read are counted and shown by sample, never fatal.
// Memory depends on the conversations and the records tied to them, not on the log's length.
//
// Text of records is raw: whoever prints it escapes it.
package logs
