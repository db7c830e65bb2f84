import Testing

@testable import SwarmNode
