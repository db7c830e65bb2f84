import CUV
import Glibc
import Testing
import Wire

@testable import SwarmNode

/// The server of HTTP with a handler of the test's, over a real socket.
@Suite(.serialized) struct HTTPServerTests {
  /// A server on a loop, and what its handler got.
  private final class Fixture {
    let folder = TemporaryFolder()
    let loop = EventLoop()
    var server: HTTPServer?
    var requests: [HTTPRequest] = []
    var exchanges: [HTTPExchange] = []
    var onRequest: (HTTPExchange, HTTPRequest) -> Void = { exchange, _ in
      exchange.respond(
        HTTPResponse(200, [("Content-Type", "text/plain")], .bytes(Array("hello".utf8))))
    }

    init() throws {
      server = try HTTPServer(at: folder("s"), on: loop, log: .none) { [unowned self] in
        requests.append($1)
        exchanges.append($0)
        onRequest($0, $1)
      }
    }

    func client() -> HTTPTestClient { HTTPTestClient(folder("s"), on: loop) }

    /// Must be the last: nothing may be left on the loop.
    func finish() {
      exchanges = []
      server?.close()
      loop.run()
      server = nil
    }
  }

  @Test func oneConnectionTakesManyRequests() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    for number in 0..<3 {
      let answer = try #require(client.ask("GET", "/a%20b?x=\(number)", ["X-A: 1", "x-a: 2"]))
      #expect(answer.status == 200 && answer.text == "hello")
      #expect(answer.headers["content-length"] == "5")
      #expect(fixture.requests.last?.target.value(of: "x") == Array("\(number)".utf8))
      #expect(fixture.requests.last?.headers["x-a"] == Array("1, 2".utf8))
    }
    let head = try #require(client.ask("HEAD", "/"))
    #expect(head.status == 200 && head.headers["content-length"] == "5" && head.body.isEmpty)
    let post = try #require(client.ask("POST", "/", body: "{\"a\": 1}"))
    #expect(post.status == 200 && fixture.requests.last?.body == Array("{\"a\": 1}".utf8))
    #expect(fixture.server?.clientCount == 1)
    client.close()
    #expect(client.turn { fixture.server?.clientCount == 0 })
    fixture.finish()
  }

  @Test func twoRequestsAtOnceAreAnsweredInOrder() throws {
    let fixture = try Fixture()
    fixture.onRequest = { exchange, request in
      exchange.respond(HTTPResponse(200, [], .bytes(request.target.path[0])))
    }
    let client = fixture.client()
    client.send("GET", "/first")
    client.send("GET", "/second")
    #expect(client.answer()?.text == "first")
    #expect(client.answer()?.text == "second")
    fixture.finish()
  }

  @Test func anAnswerMayComeLater() throws {
    let fixture = try Fixture()
    fixture.onRequest = { _, _ in }
    let client = fixture.client()
    client.send("GET", "/")
    #expect(client.turn { fixture.exchanges.count == 1 })
    for _ in 0..<20 { uv_run(fixture.loop.raw, UV_RUN_NOWAIT) }
    client.pump()
    #expect(client.received.isEmpty)
    fixture.exchanges[0].respond(HTTPResponse(202, [], .bytes([UInt8(ascii: "x")])))
    fixture.exchanges[0].respond(HTTPResponse(500))
    #expect(client.answer()?.status == 202)
    fixture.finish()
  }

  @Test(arguments: [true, false])
  func whoGoesIsNoticed(wasWholly: Bool) throws {
    let fixture = try Fixture()
    fixture.onRequest = { _, _ in }
    let client = fixture.client()
    client.send("GET", "/")
    #expect(client.turn { fixture.exchanges.count == 1 })
    var isGone = false
    fixture.exchanges[0].onGone = { isGone = true }
    if wasWholly {
      client.close()
      #expect(client.turn { isGone && fixture.server?.clientCount == 0 })
      fixture.exchanges[0].respond(HTTPResponse(200))
    } else {
      // Who has said all it will say still listens.
      client.endSending()
      for _ in 0..<50 { uv_run(fixture.loop.raw, UV_RUN_NOWAIT) }
      #expect(!isGone)
      fixture.exchanges[0].respond(HTTPResponse(200, [], .bytes([1])))
      #expect(client.answer()?.status == 200)
    }
    fixture.finish()
  }

  @Test(arguments: [
    ("GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n\r\n", 403),
    ("DELETE / HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n\r\n", 403),
    ("GET / HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\n\r\n", 403),
    ("GET / HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: none\r\n\r\n", 200),
    ("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403),
    ("GET / HTTP/1.1\r\nHost: evil.example:80\r\n\r\n", 403),
    ("GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n", 200),
    ("GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", 200),
    ("GET / HTTP/1.1\r\nHost: [2001:db8::1]\r\n\r\n", 403),
    ("GET / HTTP/1.1\r\nHost: swarm\r\n\r\n", 200),
    ("GET / HTTP/1.1\r\nHost: \r\n\r\n", 403),
    ("GET / HTTP/1.1\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ("GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("GET /../etc HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\nExpect: 100-continue\r\n\r\n", 413),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n", 413),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 413),
    ("POST / HTTP/1.1\r\nHost: a\r\nOrigin: b\r\nContent-Length: 2\r\n\r\n{}", 403),
    ("POST /%zz HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}", 400),
  ])
  func refusals(request: String, status: Int) throws {
    let fixture = try Fixture()
    let client = fixture.client()
    client.send(request)
    let answer = client.answer()
    #expect(answer?.status == status)
    #expect(fixture.requests.count == (status == 200 ? 1 : 0))
    fixture.finish()
  }

  @Test func whatIsNoRequestEndsTheConnection() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    client.send("rubbish\r\n\r\n")
    #expect(client.turn { client.isClosed })
    #expect(fixture.requests.isEmpty)
    fixture.finish()
  }

  /// Who sends much is told so when all of it has come, and may go on on the same connection.
  @Test func aLongBodyIsReadAndRefused() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    let long = String(repeating: "x", count: Int(HTTPServerLimits.bodyBytes) + 1)
    #expect(client.ask("POST", "/", body: long)?.status == 413)
    #expect(fixture.requests.isEmpty)
    #expect(client.ask("GET", "/")?.status == 200)
    fixture.finish()
  }

  @Test func headersThatDoNotEndAreRefused() throws {
    let fixture = try Fixture()
    let client = fixture.client()
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\n")
    for number in 0..<5_000 { client.send("X-\(number): aaaaaaaaaaaaaaaaaaaaaa\r\n") }
    let answer = client.answer()
    #expect(answer.map { (400..<500).contains($0.status) } ?? client.isClosed)
    #expect(fixture.requests.isEmpty)
    fixture.finish()
  }

  @Test func thereAreBoundsOnClients() throws {
    let fixture = try Fixture()
    let clients = (0...HTTPServerLimits.connections).map { _ in fixture.client() }
    let last = try #require(clients.last)
    #expect(last.turn { last.isClosed })
    #expect(fixture.server?.clientCount == HTTPServerLimits.connections)
    #expect(clients[0].ask("GET", "/")?.status == 200)
    fixture.finish()
  }

  @Test func theEndFindsConnectionsInAllStates() throws {
    let fixture = try Fixture()
    fixture.onRequest = { exchange, request in
      if request.target.path.isEmpty { return }
      exchange.respond(HTTPResponse(200, [], .endless(EventBody { _ in })))
    }
    let idle = fixture.client()
    let half = fixture.client()
    half.send("GET / HT")
    half.pump()
    let waiting = fixture.client()
    waiting.send("GET", "/")
    let streaming = fixture.client()
    streaming.send("GET", "/x")
    #expect(
      waiting.turn(while: { streaming.pump() }) {
        fixture.exchanges.count == 2 && !streaming.received.isEmpty
      })
    fixture.finish()
    for client in [idle, half, waiting, streaming] {
      client.pump()
      client.pump()
      #expect(client.isClosed)
    }
  }
}
