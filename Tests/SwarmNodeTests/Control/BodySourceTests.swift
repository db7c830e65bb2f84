import Swarm
import Testing
import Wire

@testable import SwarmNode

/// What is streamed, without a server.
@Suite struct BodySourceTests {
  private func drain(_ source: some BodySource, room: Int) -> ([UInt8], BodyPart) {
    var all: [UInt8] = []
    while true {
      var part = [UInt8](repeating: 0, count: room)
      let found = part.withUnsafeMutableBytes { source.next(into: $0) }
      guard case .bytes(let count) = found else { return (all, found) }
      all += part[..<count]
    }
  }

  private func service(_ count: Int) -> FakeService {
    let service = FakeService()
    service.contents = [(0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }]
    return service
  }

  private func file(_ service: FakeService) -> ReadableFile? {
    var found: ReadableFile?
    service.open(0, of: "", version: nil) { found = try? $0.get() }
    return found
  }

  @Test(
    arguments: [0..<1_500_000, 5..<6, 262_143..<262_145, 300_000..<1_400_001] as [Range<UInt64>])
  func bytesComeInOrder(range: Range<UInt64>) throws {
    let service = service(1_500_000)
    let body = FileBody(range, of: try #require(file(service)))
    var began = 0
    body.begin { if $0 == nil { began += 1 } }
    var woken = 0
    body.setWake { woken += 1 }
    var all: [UInt8] = []
    while true {
      let (part, end) = drain(body, room: 10_000)
      all += part
      if end == .end { break }
      try #require(end == .later)
      #expect(service.pending.count <= HTTPServerLimits.fileReads)
      let before = woken
      // The last one first: what waits is the first.
      for read in service.pending.reversed() { service.finish(read, file: 0) }
      #expect(woken == before + 1)
    }
    #expect(all == Array(service.contents[0][Int(range.lowerBound)..<Int(range.upperBound)]))
    #expect(began == 1)
  }

  /// A client that takes nothing costs what is said in the limits, and no more.
  @Test func whoIsSlowHoldsLittle() throws {
    let service = service(8 << 20)
    let body = FileBody(0..<(8 << 20), of: try #require(file(service)))
    body.begin { _ in }
    for _ in 0..<10 { service.deliver(file: 0) }
    #expect(service.pending.isEmpty)
    let (bytes, _) = drain(body, room: 1 << 20)
    #expect(bytes.count == HTTPServerLimits.fileReads * Int(HTTPServerLimits.fileReadBytes))
  }

  @Test func aFailureEndsIt() throws {
    let service = service(2 << 20)
    let body = FileBody(0..<(2 << 20), of: try #require(file(service)))
    var failures: [ReadFailure?] = []
    body.begin { failures.append($0) }
    service.finish(service.pending[0], file: 0)
    #expect(failures == [nil])
    service.fail(.timeout)
    let (bytes, end) = drain(body, room: 1 << 20)
    #expect(bytes.count == 256 << 10 && end == .failed)
    #expect(failures.count == 1)
    let other = FileBody(0..<5, of: try #require(file(service)))
    other.begin { failures.append($0) }
    service.fail(.timeout)
    #expect(failures == [nil, .timeout])
  }

  @Test func whoGoesLeavesNothing() throws {
    let service = service(2 << 20)
    let body = FileBody(0..<(2 << 20), of: try #require(file(service)))
    body.begin { _ in Issue.record("told after the end") }
    let left = service.pending
    body.cancel()
    #expect(service.pending.isEmpty && service.cancelled == left.map(\.number))
  }

  @Test func eventsAreLines() {
    var isOver = false
    let body = EventBody { _ in isOver = true }
    body.send("status", id: 3, data: "{}")
    let (first, end) = drain(body, room: 7)
    #expect(
      String(decoding: first, as: UTF8.self).hasSuffix("\n\nid: 3\nevent: status\ndata: {}\n\n"))
    #expect(end == .later)
    var woken = 0
    body.setWake { woken += 1 }
    body.beat()
    body.beat()
    #expect(woken == 1)
    #expect(drain(body, room: 100).0 == Array(":\n\n:\n\n".utf8))
    body.end()
    #expect(drain(body, room: 100).1 == .end)
    body.cancel()
    #expect(isOver)
  }

  @Test func whoIsTooSlowIsCutOff() {
    let body = EventBody { _ in }
    var part = [UInt8](repeating: 0, count: 10)
    _ = part.withUnsafeMutableBytes { body.next(into: $0) }
    let line = String(repeating: "x", count: 1_000)
    for number in 0..<1_000 { body.send("e", id: UInt64(number), data: line) }
    let (bytes, end) = drain(body, room: 65_536)
    #expect(end == .end && body.dropped == 1)
    #expect(bytes.count <= HTTPServerLimits.eventBytes + 100)
    let text = String(decoding: bytes, as: UTF8.self)
    #expect(
      text.hasSuffix("data: \(line)\n\n: events were lost, since they were not read in time\n\n"))
  }
}
