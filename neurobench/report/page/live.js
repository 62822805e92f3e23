/* ---- served by `neurobench report --serve`: the same page, redrawn when a run has made progress ---- */
let known = "";
async function follow() {
  const foot = document.getElementById("foot");
  try {
    const answer = await fetch("/data.json", known ? { headers: { "If-None-Match": known } } : {});
    if (answer.status === 200) {
      known = answer.headers.get("ETag");
      read(await answer.json());
      show(true);
    }
    foot.textContent = `neurobench ${DATA.version}, ${RUNS.length.toLocaleString("en")} runs, updated live`;
  } catch {
    foot.textContent = "The server of this page has stopped; the page may be out of date.";
  }
  setTimeout(follow, 2000);
}
follow();
