import CUV
import Metainfo
import Swarm
import Testing
import Wire

@testable import SwarmNode

/// The control API over a real socket, with a service that the test plays.
@Suite(.serialized) struct ControlAPITests {
  private final class Fixture {
    let folder = TemporaryFolder()
    let loop = EventLoop()
    let service = FakeService()
    var server: ControlServer?
    static let key = String(repeating: "ab", count: 32)

    init() throws {
      service.contents = [
        Array("a,b\n1,2\n".utf8), [], [], (0..<700_000).map { UInt8(truncatingIfNeeded: $0) },
      ]
      let info = try InfoDictionary(parsing: Self.info)
      var first = DatasetView(id: Self.key, magnet: "magnet:?xs=urn:btpk:\(Self.key)")
      (first.name, first.version, first.info) = (info.name.bytes, 2, info)
      first.transfer = TransferView()
      service.datasets = [first]
      server = try ControlServer(at: folder("s"), on: loop, log: .none, service: service)
    }

    func client() -> HTTPTestClient { HTTPTestClient(folder("s"), on: loop) }

    func ask(
      _ method: String, _ target: String, _ headers: [String] = [], body: String? = nil,
      deliver: Int = 0
    ) throws -> HTTPTestAnswer {
      let client = client()
      let answer = client.ask(method, target, headers, body: body) { [service] in
        service.deliver(file: deliver)
      }
      return try #require(answer)
    }

    func finish() {
      server?.close()
      loop.run()
      server = nil
    }

    /// v1: four files and a symlink, one of them empty and one with a name that is not UTF-8.
    private static var info: [UInt8] {
      var text = Array("d5:filesl".utf8)
      text += "d6:lengthi8e4:pathl5:a.csvee".utf8
      text += "d6:lengthi0e4:pathl3:dir5:emptyee".utf8
      text += "d4:attr1:l6:lengthi0e4:pathl4:linke12:symlink pathl5:a.csvee".utf8
      text += "d6:lengthi700000e4:pathl3:dir3:".utf8 + [0xff, 0x20, 0x62] + "ee".utf8
      text += "e4:name4:data12:piece lengthi1048576e6:pieces20:aaaaaaaaaaaaaaaaaaaae".utf8
      return text
    }
  }

  private func json(_ answer: HTTPTestAnswer) throws -> JSON { try JSONParser.parse(answer.body) }

  @Test func resourcesAreListed() throws {
    let fixture = try Fixture()
    let id = Fixture.key
    let node = try json(fixture.ask("GET", "/v1/node"))
    #expect(node["version"]?.text == "1.2.3")
    let list = try json(fixture.ask("GET", "/v1/datasets"))
    #expect(list["datasets"]?.list?.first?["name"]?.text == "data")
    let one = try json(fixture.ask("GET", "/v1/datasets/\(id.prefix(8))"))
    #expect(one["id"]?.text == id && one["torrent"]?["file_count"]?.number == 4)
    let versions = try json(fixture.ask("GET", "/v1/datasets/\(id)/versions"))
    #expect(versions["versions"]?.list?.count == 2)
    let version = try json(fixture.ask("GET", "/v1/datasets/\(id)/versions/1"))
    #expect(version["differing_bytes"]?.number == 5 && version["torrent"] == nil)
    #expect(try fixture.ask("GET", "/v1/datasets/\(id)/versions/3").status == 404)
    #expect(try fixture.ask("GET", "/v1/datasets/\(id)/versions/x").status == 404)
    let peers = try json(fixture.ask("GET", "/v1/datasets/\(id)/peers"))
    #expect(peers["peers"]?.list?.first?["address"]?.text == "192.0.2.1:6881")
    fixture.finish()
  }

  @Test func filesAreListedAPageAtATime() throws {
    let fixture = try Fixture()
    var target = "/v1/datasets/\(Fixture.key)/files?limit=3"
    var paths: [String] = []
    var urls: [String] = []
    for _ in 0..<2 {
      let page = try json(fixture.ask("GET", target))
      for file in page["files"]?.list ?? [] {
        paths.append(file["path"]?.text ?? "")
        urls.append(file["url"]?.text ?? "")
      }
      target = page["next"]?.text ?? ""
    }
    #expect(target == "")
    #expect(paths == ["a.csv", "dir/empty", "link", "dir/\\xff b"])
    #expect(urls[3] == "/v1/datasets/\(Fixture.key)/files/dir/%FF%20b")
    #expect(try fixture.ask("GET", "/v1/datasets/\(Fixture.key)/files?limit=0").status == 400)
    #expect(try fixture.ask("GET", "/v1/datasets/\(Fixture.key)/files?limit=x").status == 400)
    #expect(try fixture.ask("GET", "/v1/datasets/\(Fixture.key)/files?what=1").status == 400)
    #expect(
      try fixture.ask("GET", "/v1/datasets/\(Fixture.key)/files?limit=1&limit=1").status == 400)
    #expect(try fixture.ask("GET", "/v1/datasets/\(Fixture.key)/files?version=3").status == 404)
    fixture.finish()
  }

  @Test func filesAreRead() throws {
    let fixture = try Fixture()
    let url = "/v1/datasets/\(Fixture.key)/files"
    let whole = try fixture.ask("GET", "\(url)/a.csv")
    #expect(whole.status == 200 && whole.text == "a,b\n1,2\n")
    #expect(
      whole.headers["content-type"] == "text/csv" && whole.headers["accept-ranges"] == "bytes")
    let tag = try #require(whole.headers["etag"])
    let part = try fixture.ask("GET", "\(url)/a.csv", ["Range: bytes=2-4"])
    #expect(
      part.status == 206 && part.text == "b\n1" && part.headers["content-range"] == "bytes 2-4/8")
    #expect(part.headers["etag"] == tag)
    let head = try fixture.ask("HEAD", "\(url)/a.csv", ["Range: bytes=2-4"])
    #expect(head.status == 200 && head.headers["content-length"] == "8" && head.body.isEmpty)
    #expect(fixture.service.pending.isEmpty)
    let none = try fixture.ask("GET", "\(url)/a.csv", ["Range: bytes=8-"])
    #expect(none.status == 416 && none.headers["content-range"] == "bytes */8")
    #expect(try fixture.ask("GET", "\(url)/a.csv", ["If-None-Match: \(tag)"]).status == 304)
    #expect(try fixture.ask("GET", "\(url)/a.csv", ["If-Match: \"x\""]).status == 412)
    let changed = try fixture.ask("GET", "\(url)/a.csv", ["If-Range: \"x\"", "Range: bytes=2-4"])
    #expect(changed.status == 200)
    let big = try fixture.ask("GET", "\(url)/dir%2F%FF%20b", deliver: 3)
    #expect(big.status == 200 && big.body == fixture.service.contents[3])
    let empty = try fixture.ask("GET", "\(url)/dir/empty")
    #expect(empty.status == 200 && empty.headers["content-length"] == "0")
    let link = try fixture.ask("GET", "\(url)/link")
    #expect(link.status == 307 && link.headers["location"] == "\(url)/a.csv")
    for name in ["dir", "nothing", "dir%2F..%2Fa.csv", "a.csv%2F"] {
      #expect(try fixture.ask("GET", "\(url)/\(name)").status == 404)
    }
    #expect(try fixture.ask("GET", "\(url)/a.csv", ["Accept: image/png"]).status == 406)
    fixture.finish()
  }

  /// An error that comes before the first byte is told; one behind it ends the connection.
  @Test func readsMayFail() throws {
    let fixture = try Fixture()
    let url = "/v1/datasets/\(Fixture.key)/files/dir/%FF%20b"
    let first = fixture.client()
    let failed = first.ask("GET", url) { fixture.service.fail(.timeout) }
    let answer = try #require(failed)
    #expect(answer.status == 504 && answer.headers["content-type"] == "application/problem+json")
    let second = fixture.client()
    second.send("GET", url)
    var isFirst = true
    #expect(
      second.turn(while: {
        if fixture.service.pending.count > 1, isFirst {
          isFirst = false
          fixture.service.finish(fixture.service.pending[0], file: 3)
        } else if !isFirst {
          fixture.service.fail(.timeout)
        }
      }) { second.isClosed })
    #expect(second.received.count > 200_000 && second.received.count < 700_000)
    fixture.service.failure = .unavailable("no room")
    #expect(try fixture.ask("GET", url).status == 503)
    fixture.finish()
  }

  /// Who goes takes its reads along, before and within the answer.
  @Test func whoGoesWhileReading() throws {
    let fixture = try Fixture()
    let url = "/v1/datasets/\(Fixture.key)/files/dir/%FF%20b"
    for goesEarly in [true, false] {
      let client = fixture.client()
      client.send("GET", url)
      #expect(client.turn { !fixture.service.pending.isEmpty })
      if !goesEarly {
        fixture.service.finish(fixture.service.pending[0], file: 3)
        #expect(client.turn { client.received.count > 200_000 })
      }
      client.close()
      #expect(client.turn { fixture.service.pending.isEmpty }, "early: \(goesEarly)")
    }
    #expect(fixture.service.cancelled == [1, 2, 3, 5, 6])
    fixture.finish()
  }

  @Test func datasetsComeAndGo() throws {
    let fixture = try Fixture()
    let id = Fixture.key
    let body = """
      {"link": "\(id)@3", "directory": "/d\\\\xff", "sparse": true, "peers": ["[::1]:7"], "keep": 2}
      """
    let added = try fixture.ask("POST", "/v1/datasets", body: body)
    #expect(added.status == 201 && added.headers["location"] == "/v1/datasets/\(id)")
    let request = try #require(fixture.service.addRequest)
    #expect(request.directory == [0x2f, 0x64, 0xff] && request.isSparse && request.keep == 2)
    #expect(request.peers.map(\.description) == ["[::1]:7"])
    let key = try #require(DatasetKey(hex: id))
    #expect(request.link == .link(MagnetLink(datasetKey: key, version: 3)))
    for (body, status) in [
      ("{}", 422), ("{\"link\": 1}", 422), ("{\"link\": \"a.torrent\"}", 422), ("[", 400),
      ("", 400),
      ("{\"link\": \"/a\", \"what\": 1}", 422), ("{\"link\": \"/a\", \"peers\": [\"x\"]}", 422),
      ("{\"link\": \"/a\", \"directory\": \"b\"}", 422),
      ("{\"link\": \"/a\", \"sparse\": true, \"only\": [\"*\"]}", 422),
      ("{\"link\": \"magnet:?x\"}", 422), ("{\"link\": \"/a\", \"link\": \"/b\"}", 400),
    ] {
      #expect(try fixture.ask("POST", "/v1/datasets", body: body).status == status, "\(body)")
    }
    fixture.service.failure = .conflict("there already")
    #expect(try fixture.ask("POST", "/v1/datasets", body: "{\"link\": \"/a\"}").status == 409)
    #expect(
      try fixture.ask("POST", "/v1/datasets", ["Content-Type: text/plain"], body: "{}").status
        == 415)
    #expect(try fixture.ask("POST", "/v1/datasets").status == 411)
    let part = try fixture.ask("DELETE", "/v1/datasets/\(id.prefix(10))")
    #expect(part.status == 409 && part.text.contains(id))
    #expect(try fixture.ask("DELETE", "/v1/datasets/\(id)").status == 204)
    #expect(try fixture.ask("DELETE", "/v1/datasets/\(id)").status == 404)
    #expect(fixture.service.asked == ["remove \(id)"])
    fixture.finish()
  }

  @Test func idsMayBeCutShort() throws {
    let fixture = try Fixture()
    let other = String(Fixture.key.prefix(20)) + String(repeating: "0", count: 44)
    fixture.service.datasets.append(DatasetView(id: other, magnet: ""))
    #expect(try fixture.ask("GET", "/v1/datasets/\(other.prefix(20))").status == 409)
    #expect(try json(fixture.ask("GET", "/v1/datasets/\(other.prefix(21))"))["id"]?.text == other)
    #expect(try fixture.ask("GET", "/v1/datasets/\(other.prefix(7))").status == 404)
    #expect(try fixture.ask("GET", "/v1/datasets/\(other)/files").status == 503)
    fixture.finish()
  }

  @Test func peersExportsAndTraces() throws {
    let fixture = try Fixture()
    let id = Fixture.key
    let url = "/v1/datasets/\(id)"
    #expect(
      try fixture.ask("POST", "\(url)/peers", body: "{\"address\": \"a.example:5\"}").status == 202)
    #expect(
      try fixture.ask("POST", "\(url)/peers", body: "{\"address\": \"a.example\"}").status == 422)
    let wish = "{\"dataset\": \"\(id)\", \"path\": \"dir/\\\\xff b\", \"name\": \"a/b c\"}"
    let export = try fixture.ask("POST", "/v1/exports", body: wish)
    #expect(export.status == 201 && export.headers["location"] == "/v1/exports/a%2Fb%20c")
    #expect(try json(export)["path"]?.text == "dir/\\xff b")
    #expect(try json(fixture.ask("GET", "/v1/exports"))["exports"]?.list?.count == 1)
    #expect(try fixture.ask("DELETE", "/v1/exports/a/b%20c").status == 204)
    #expect(try fixture.ask("DELETE", "/v1/exports/a%2Fb%20c").status == 404)
    for path in ["link", "dir/empty", "x"] {
      let status = try fixture.ask(
        "POST", "/v1/exports", body: "{\"dataset\": \"\(id)\", \"path\": \"\(path)\"}"
      ).status
      #expect(status == (path == "x" ? 404 : 422))
    }
    let trace = try fixture.ask("GET", "\(url)/trace?path=a.csv")
    #expect(try json(trace)["reads"]?.list?.first?["offset"]?.number == 3)
    let bytes = try fixture.ask(
      "GET", "\(url)/trace?path=a.csv", ["Accept: application/octet-stream"])
    #expect(try BootTrace(encoded: bytes.body).reads.count == 1)
    #expect(try fixture.ask("GET", "\(url)/trace").status == 400)
    let fetch =
      "{\"path\": \"a.csv\", \"ranges\": [{\"offset\": 2, \"length\": 100}, {\"offset\": 8, \"length\": 1}]}"
    let taken = try fixture.ask("POST", "\(url)/prefetch", body: fetch)
    #expect(taken.status == 202)
    #expect(try json(taken)["bytes"]?.number == 6)
    #expect(fixture.service.asked.last == "prefetch [Range(2..<8)] of 0")
    #expect(
      try fixture.ask("POST", "\(url)/prefetch", body: "{\"path\": \"a.csv\", \"trace\": true}")
        .status == 404)
    let traced = "{\"path\": \"dir/\\\\xff b\", \"trace\": true}"
    #expect(try json(fixture.ask("POST", "\(url)/prefetch", body: traced))["bytes"]?.number == 4)
    fixture.finish()
  }

  @Test func eventsAreStreamed() throws {
    let fixture = try Fixture()
    let server = try #require(fixture.server)
    let client = fixture.client()
    client.send("GET", "/v1/events")
    #expect(client.turn { server.hasListeners })
    server.tell("status", dataset: Fixture.key, [("done", .number(5))])
    let wanted =
      "id: 1\nevent: status\ndata: {\"event\": \"status\", \"id\": \"\(Fixture.key)\", \"done\": 5}\n\n"
    #expect(client.turn { String(decoding: client.received, as: UTF8.self).contains(wanted) })
    #expect(
      String(decoding: client.received, as: UTF8.self).contains("Content-Type: text/event-stream"))
    client.close()
    #expect(client.turn { !server.hasListeners })
    fixture.finish()
  }

  /// What one client does is an event for another, though the library is at work for the first one.
  @Test func eventsAreToldFromWithinRequests() throws {
    let fixture = try Fixture()
    let server = try #require(fixture.server)
    let listener = fixture.client()
    listener.send("GET", "/v1/events")
    #expect(listener.turn { server.hasListeners && !listener.received.isEmpty })
    fixture.service.onPeer = { server.tell("peer", dataset: nil, []) }
    let other = fixture.client()
    let target = "/v1/datasets/\(Fixture.key)/peers"
    #expect(other.ask("POST", target, body: "{\"address\": \"a.example:5\"}")?.status == 202)
    #expect(
      listener.turn { String(decoding: listener.received, as: UTF8.self).contains("event: peer") })
    fixture.finish()
  }

  @Test func whatIsNotThere() throws {
    let fixture = try Fixture()
    let missing = try fixture.ask("GET", "/v1/nothing%20here")
    #expect(missing.status == 404)
    let problem = try json(missing)
    #expect(problem["title"]?.text == "Not Found" && problem["type"]?.text == "about:blank")
    #expect(problem["status"]?.number == 404 && problem["instance"]?.text == "/v1/nothing%20here")
    let wrong = try fixture.ask("PUT", "/v1/datasets")
    #expect(wrong.status == 405 && wrong.headers["allow"] == "GET, HEAD, POST")
    #expect(try fixture.ask("GET", "/v1/node", ["Accept: text/html"]).status == 406)
    #expect(try fixture.ask("GET", "/v1/node", ["Accept: text/html, */*"]).status == 200)
    #expect(try fixture.ask("GET", "/v1/node", body: "{}").status == 400)
    fixture.finish()
  }

  /// Every route is in the document and is dispatched to; every name that it refers to is there.
  @Test func theDocumentIsTrue() throws {
    let fixture = try Fixture()
    let answer = try fixture.ask("GET", "/v1/openapi.json")
    let document = try json(answer)
    #expect(document["openapi"]?.text == "3.1.0")
    for route in ControlAPI.routes {
      let operation = try #require(document["paths"]?[route.path]?[route.method.lowercased()])
      #expect((operation["requestBody"] != nil) == (route.body != nil))
      let names = route.path.split(separator: "{").dropFirst().compactMap {
        $0.split(separator: "}").first
      }
      #expect(names.map(String.init) == route.names.map(\.name), "\(route.path)")
      let example = route.parts.map { part -> [UInt8] in
        if case .name(let name) = part { Array(name.utf8) } else { Array("1".utf8) }
      }
      #expect(ControlAPI.routes.first { $0.match(example) != nil }?.path == route.path)
    }
    let text = answer.text
    for part in text.split(separator: "#/components/schemas/").dropFirst() {
      let name = String(part.prefix { $0 != "\"" })
      #expect(document["components"]?["schemas"]?[name] != nil, "\(name)")
    }
    fixture.finish()
  }

  @Test func figuresForPrometheus() throws {
    let fixture = try Fixture()
    fixture.service.datasets[0].name = Array("a\"b\\c\nd".utf8)
    fixture.service.datasets[0].transfer?.downloaded = 77
    let answer = try fixture.ask("GET", "/metrics")
    #expect(answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
    let lines = answer.text.split(separator: "\n").map(String.init)
    #expect(lines.contains("swarm_downloaded_bytes_total{dataset=\"\(Fixture.key)\"} 77"))
    // Shown bytes have one backslash, and that is escaped.
    #expect(lines.contains { $0.contains("name=\"a\\\"b\\\\\\\\c\\\\x0ad\"") })
    for line in lines where !line.hasPrefix("#") {
      let name = line.prefix { $0 != "{" && $0 != " " }
      #expect(name.hasPrefix("swarm_"))
      #expect(
        lines.contains { $0.hasPrefix("# TYPE \(name) ") }
          && lines.contains { $0.hasPrefix("# HELP \(name) ") })
      #expect(name.hasSuffix("_total") == lines.contains("# TYPE \(name) counter"))
    }
    fixture.finish()
  }
}
