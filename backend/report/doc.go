// Package report shows a correlation to people.
//
// It takes the document of package model and gives text for terminals (Text and its companions). It knows nothing of
// captures: whatever it shows stands in correlation.json.
//
// Guarantees: same document, same bytes; text from captures and logs is escaped, so that it can't drive a terminal;
// addresses and frame numbers are never cut, whatever the width; colour never says what words don't.
package report
