// Answers the queries in the arguments as the search box of the built site does: by the worker that the theme ships.
// node search.js SITE QUERY ... -> JSON: for each query the addresses that are shown, best first.
const fs = require("fs"), vm = require("vm");

const [site, ...queries] = process.argv.slice(2);
const workers = `${site}/assets/javascripts/workers/`;
const source = fs.readFileSync(workers + fs.readdirSync(workers).find((name) => /^search\..*\.js$/.test(name)), "utf8");
const index = JSON.parse(fs.readFileSync(`${site}/search/search_index.json`, "utf8"));

let receive, answer;
const worker = {
  addEventListener: (_, listener) => (receive = listener),
  postMessage: (message) => answer(message),
  importScripts: () => {},
  console, setTimeout, URL,
};
worker.self = worker;
vm.runInContext(source, vm.createContext(worker));
const ask = (message) => new Promise((resolve) => { answer = resolve; receive({ data: message }); });

(async () => {
  await ask({ type: 0, data: { ...index, options: { suggest: true } } });
  const answers = {};
  for (const query of queries) {
    const { data } = await ask({ type: 2, data: query });
    // A page is shown with its sections that match; one that only its sections brought has a score of 0.
    answers[query] = data.items.map((page) => page.filter((one) => one.score).map((one) => one.location));
  }
  console.log(JSON.stringify(answers));
})();
