from hypothesis import given, settings, strategies as st
from tests.web.test_fetch import *
@settings(max_examples=6000, deadline=None)
@given(there=st.text() | st.text("htps:/@.[]%1a?#&\\é").map("http://".__add__), status=st.sampled_from([b"302 F", b"200 OK",b"999 x"]))
def test_x(there,status):
    wire = Wire({"/x": [b"HTTP/1.1 "+status+b"\r\nLocation: ", there.encode("utf-8","surrogatepass"), b"\r\n\r\n"]})
    for url in (there, "http://ca.example/x"):
        try: fetch(url, limits=limits(), reach=reach(wire), headers=HEADERS)
        except NotFetched: pass
@settings(max_examples=2000, deadline=None)
@given(p=st.text(min_size=1) | st.text("htps:/@.[]%1a?#&\\é").map("http://".__add__), raw=st.binary())
def test_y(p, raw):
    class W(Wire): pass
    for r in (Reach(env={"http_proxy":"http://"+p.replace("://","")+"@[::1"}), reach(Wire({"/x":raw}))):
        try: fetch("http://ca.example/x", limits=limits(), reach=r, headers=HEADERS)
        except NotFetched: pass
