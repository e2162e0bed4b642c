// Package pipeline is what all functions of Mainstay have in common: how they read
// a request and how they answer. A function loads typed values with it, decides with
// a pure package of internal/, and writes the outcome with it.
//
// Invariants: what earlier steps of the pipeline desired is passed on untouched, the
// one condition that a claim gets from us is Reached, and a claim that is refused
// composes nothing and removes nothing. Deliberately absent: any decision.
package pipeline
