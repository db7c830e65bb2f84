import Testing

@testable import Swarm

@Suite struct IdentifierTests {
  @Test func connectionsInOneSlotDiffer() {
    #expect(ConnectionID(slot: 1, generation: 0) != ConnectionID(slot: 1, generation: 1))
  }
}
