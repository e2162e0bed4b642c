// Package scale proves that nothing is lost and nothing is done twice among a thousand
// clusters, whenever the provider is killed. Hub, etcd and provider are real; the
// clusters are simulated, in a process of their own that keeps a record of all that is
// changed on them. That record is the witness, and a watch of all Releases is another:
// what the provider says of itself is not believed.
//
// What is random has a seed, which is printed. SEED takes it again. What is not decided
// by it, such as which call is under way when the provider is killed, is another each
// time.
package scale
