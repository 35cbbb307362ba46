/// Forms.
import Testing
