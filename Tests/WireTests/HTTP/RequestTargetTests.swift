import Testing
import Wire

@Suite struct RequestTargetTests {
  private func names(_ text: String) throws -> [String] {
    try RequestTarget(Array(text.utf8)).path.map { String(decoding: $0, as: UTF8.self) }
  }

  private func failure(_ bytes: [UInt8]) -> RequestTarget.Failure? {
    do {
      _ = try RequestTarget(bytes)
      return nil
    } catch { return error }
  }

  @Test func paths() throws {
    #expect(try names("/") == [])
    #expect(try names("/v1/datasets") == ["v1", "datasets"])
    #expect(try names("/a%20b/%C3%A9+c?x=1") == ["a b", "é+c"])
    #expect(try names("/a%2Fb") == ["a/b"])
    #expect(try names("http://localhost/a/b?c") == ["a", "b"])
    #expect(try names("HTTP://localhost") == [])
    #expect(try names("http://localhost?c=d") == [])
    #expect(try RequestTarget(Array("/%ff%01".utf8)).path == [[0xff, 0x01]])
  }

  @Test func queries() throws {
    let target = try RequestTarget(Array("/a?x=1&y=a+b%26&z&x=2&&=v".utf8))
    #expect(target.query.count == 5)
    #expect(target.value(of: "x") == Array("1".utf8))
    #expect(target.value(of: "y") == Array("a b&".utf8))
    #expect(target.value(of: "z") == [])
    #expect(target.value(of: "w") == nil)
  }

  @Test(
    arguments: [
      ("", RequestTarget.Failure.noPath), ("a", .noPath), ("*", .noPath), ("ftp://a/b", .noPath),
      ("/a/../b", .dots), ("/a/%2e%2E/b", .dots), ("/a/./b", .dots), ("/a//b", .dots),
      ("/a/", .dots),
      ("/%", .escape), ("/%4", .escape), ("/%zz", .escape), ("/a?b=%4", .escape),
      ("/a%00", .nul), ("/a b", .character(0x20)), ("/a#b", .character(0x23)),
      ("/é", .character(0xc3)),
    ] as [(String, RequestTarget.Failure)])
  func faults(text: String, expected: RequestTarget.Failure) {
    #expect(failure(Array(text.utf8)) == expected)
  }

  @Test func bounds() {
    let path =
      [UInt8(ascii: "/")] + [UInt8](repeating: UInt8(ascii: "a"), count: HTTPLimits.targetBytes)
    #expect(failure(path) == .tooLong)
    #expect(failure(Array(path.dropLast())) == nil)
    let query = "/?" + String(repeating: "a&", count: HTTPLimits.parameters)
    #expect(failure(Array(query.utf8)) == nil)
    #expect(failure(Array((query + "a").utf8)) == .tooLong)
  }

  /// An escaped slash is one, and leads nowhere else than a plain one.
  @Test func namesOfFiles() throws {
    let target = try RequestTarget(Array("/a%2Fb/c".utf8))
    #expect(try RequestTarget.fileNames(target.path) == ["a", "b", "c"].map { Array($0.utf8) })
    for text in ["/a%2F..%2Fb", "/%2Fa", "/a%2F", "/a%2F%2Fb"] {
      let target = try RequestTarget(Array(text.utf8))
      #expect(throws: RequestTarget.Failure.dots) { try RequestTarget.fileNames(target.path) }
    }
  }
}

@Suite struct MediaTypeTests {
  @Test func filesByTheirEnding() {
    #expect(MediaType.ofFile(named: Array("a.CSV".utf8)) == "text/csv")
    #expect(MediaType.ofFile(named: Array("a.b.parquet".utf8)) == "application/vnd.apache.parquet")
    #expect(MediaType.ofFile(named: Array("page.html".utf8)).hasPrefix("text/plain"))
    for name in ["a", "", ".", "a.", "a.\u{0}", "disk.img"] {
      #expect(MediaType.ofFile(named: Array(name.utf8)) == MediaType.unknown)
    }
  }

  @Test(
    arguments: [
      (nil, true), ("*/*", true), ("application/json", true), ("Application/JSON;q=0.1", true),
      ("application/*", true), ("text/html", false), ("text/*, image/png", false),
      ("application/json;q=0, */*", false), ("*/*;q=0.000", false), ("*/*;q=0.001", true),
      ("text/html, */*;q=0.1", true), ("rubbish", true), ("", true),
      ("application/*;q=0, application/json", true),
    ] as [(String?, Bool)])
  func accept(header: String?, expected: Bool) {
    #expect(MediaType.accepts(header.map { Array($0.utf8) }, "application/json") == expected)
  }

  @Test func contentTypes() {
    #expect(MediaType.isContent(Array("application/JSON; charset=utf-8".utf8), "application/json"))
    #expect(!MediaType.isContent(Array("application/jsonx".utf8), "application/json"))
    #expect(!MediaType.isContent(nil, "application/json"))
  }
}
