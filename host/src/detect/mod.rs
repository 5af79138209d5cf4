//! The operator: flows and states in; findings, states and coverage out.
